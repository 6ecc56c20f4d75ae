import { type Check, failed, ok, skipped, warning } from '#cli/doctor/check.ts';
import type { Installation } from '#cli/doctor/installation.ts';
import { userAgentOf } from '#cli/find-service.ts';

const group = 'api';
const answerMilliseconds = 5_000;

export function apiChecks({ api, cli }: Installation): Check[] {
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
      const { adminUrl } = await api();
      if (adminUrl === null)
        return skipped('the address of health and metrics is known on the machine of the service only');
      const answer = await ask(`${adminUrl}${path}`);
      const said = (await answer.json()) as { dead?: readonly string[]; missing?: readonly string[] };
      if (answer.ok) return ok(`${adminUrl}${path} says ${meaning}`);
      return failed(`${adminUrl}${path} says: ${[...(said.dead ?? []), ...(said.missing ?? [])].join('; ')}.`, advice);
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

export function reasonOf(error: unknown): string {
  const { name, message, code, cause } = error as NodeJS.ErrnoException;
  if (name === 'TimeoutError') return `no answer within ${answerMilliseconds / 1_000} s`;
  return code ?? (cause ? reasonOf(cause) : message);
}
