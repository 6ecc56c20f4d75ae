// What the server needs of our environment. Everything else stays out: a PGDATA or PGOPTIONS of the user's would change
// what the server does, and tokens of other systems are no business of its processes.
const passedOn = ['PATH', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'TMPDIR', 'TEMP', 'TMP', 'SystemRoot', 'ComSpec'];

/** The environment in which the Postgres programs run; messages are in English because we read some of them. */
export function serverEnvironment(): Record<string, string> {
  const environment: Record<string, string> = { LC_ALL: 'C' };
  for (const name of passedOn) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}
