import { type Check, failed, NotThere, ok, skipped, warning } from '#cli/doctor/check.ts';
import type { Installation } from '#cli/doctor/installation.ts';
import { userAgentOf } from '#cli/find-service.ts';
import { healthOf } from '#cli/health.ts';

const group = 'api';
const answerMilliseconds = 5_000;

export function apiChecks({ api, atWork, cli }: Installation): Check[] {
  const ask = (url: string) =>
    fetch(url, {
      redirect: 'error',
      headers: { 'User-Agent': userAgentOf(cli) },
      signal: AbortSignal.timeout(answerMilliseconds),
    }).catch((error: unknown) => {
      throw new Error(`it does not answer (${reasonOf(error)})`);
    });
  const health = (path: string, meaning: string, advice: string): Check['run'] => {
    return async () => {
      const adminUrls = cli.adminUrls.length > 0 ? cli.adminUrls : (await api()).adminUrls;
      if (adminUrls.length === 0) return skipped('MINT_ADMIN_URL does not say where health is told');
      const processes = await healthOf(adminUrls, path);
      const wrong = processes.filter(({ ok }) => !ok);
      if (wrong.length === 0) return ok(`${processes.map(({ url }) => url).join(', ')}: ${meaning}`);
      return failed(wrong.map(({ url, said }) => `${url}${path} says: ${reasonsOf(said)}.`).join('\n'), advice);
    };
  };
  /** What the interface says about itself; everybody may read it. */
  async function description(): Promise<{ readonly url: string; readonly version: string | null }> {
    const { url } = await api();
    const answer = await ask(`${url}/api/openapi.json`).catch((error: Error) => {
      throw Object.assign(error, { message: `${url}: ${error.message}` });
    });
    const body = (await answer.json().catch(() => null)) as { info?: { title?: string; version?: string } } | null;
    if (!answer.ok || !body?.info) return { url, version: null };
    return { url, version: body.info.version ?? null };
  }
  return [
    {
      group,
      name: 'answers',
      async run() {
        try {
          await api();
        } catch (error) {
          // Nothing runs, or it is not told where: only one of these is nothing to wonder about.
          if (!(error instanceof NotThere) || !(await atWork().catch(() => false))) throw error;
          return warning(
            'Cool Mint is at work on this database, and whether its API answers was not looked at.',
            'Set MINT_URL to the origin of the API, MINT_TOKEN to a token for it, and MINT_ADMIN_URL to where its processes tell their health.',
          );
        }
        const { url, version } = await description();
        return version === null
          ? failed(
              `${url} answers, but not as Cool Mint does.`,
              'Check MINT_URL: it is the origin, such as http://127.0.0.1:3000.',
            )
          : ok(url);
      },
    },
    {
      group,
      name: 'alive',
      run: health('/health/live', 'live', 'Its loops stand still. Restart it, and keep its log.'),
    },
    { group, name: 'ready', run: health('/health/ready', 'ready', 'Its log says more; the other checks may say why.') },
    {
      group,
      name: 'version',
      async run() {
        const { url, version } = await description().catch(() => ({ url: '', version: null }));
        if (version === null) return skipped('it is not told');
        return version === cli.version
          ? ok(version)
          : warning(
              `${url} has version ${version}, this command ${cli.version}.`,
              'Use the command of the same version, or finish the upgrade.',
            );
      },
    },
  ];
}

function reasonsOf(said: unknown): string {
  const { dead = [], missing = [] } = (said ?? {}) as { dead?: readonly string[]; missing?: readonly string[] };
  return [...dead, ...missing].join('; ') || (typeof said === 'string' ? said : JSON.stringify(said));
}

export function reasonOf(error: unknown): string {
  const { name, message, code, cause } = error as NodeJS.ErrnoException;
  if (name === 'TimeoutError') return `no answer within ${answerMilliseconds / 1_000} s`;
  return code ?? (cause ? reasonOf(cause) : message);
}
