import { createServer } from 'node:net';
import { SetupError } from '#shared/errors/setup-error.ts';

const explain = (error: unknown, port: number, setting: string): Error => {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EADDRINUSE')
    return new SetupError(
      `Port ${port} is taken. Stop what uses it, or choose another one: ${setting}=${port + 10} npm start`,
    );
  if (code === 'EACCES')
    return new SetupError(
      `Port ${port} may not be used by this account. Choose one above 1023: ${setting}=3000 npm start`,
    );
  return error as Error;
};

/** Answers the URL. Throws a SetupError that names the setting where the port cannot be had. */
export async function listenOn(
  app: { listen(options: { host: string; port: number }): Promise<string> },
  host: string,
  port: number,
  setting: string,
): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    throw explain(error, port, setting);
  }
}

/** Tells of a taken port before anything is started for nothing. */
export async function checkPort(host: string, port: number, setting: string): Promise<void> {
  if (port === 0) return;
  await new Promise<void>((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) => reject(explain(error, port, setting)));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve()));
  });
}
