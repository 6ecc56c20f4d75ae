/** What processes say of their health. A name may have an address for each replica, as those of containers have: all are asked. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

const answerMilliseconds = 5_000;

export interface ProcessHealth {
  readonly url: string;
  readonly ok: boolean;
  /** What it answered; where it does not, that, as a text. */
  readonly said: unknown;
}

/** `path`: /health/live or /health/ready. */
export async function healthOf(adminUrls: readonly string[], path: string): Promise<ProcessHealth[]> {
  const found = await Promise.all(adminUrls.map(replicasOf));
  return Promise.all(found.flat().map((url) => ask(url, path)));
}

async function replicasOf(adminUrl: string): Promise<string[]> {
  const url = new URL(adminUrl);
  if (url.protocol !== 'http:' || isIP(url.hostname.replace(/^\[(.*)\]$/, '$1')) > 0) return [adminUrl];
  const found = await lookup(url.hostname, { all: true, family: 4 }).catch(() => []);
  // One that is not known is asked by its name, which tells why.
  return found.length === 0 ? [adminUrl] : found.map(({ address }) => `http://${address}:${url.port || 80}`);
}

async function ask(url: string, path: string): Promise<ProcessHealth> {
  try {
    const answer = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(answerMilliseconds) });
    return { url, ok: answer.ok, said: parse(await answer.text()) };
  } catch (error) {
    const { message, cause } = error as Error & { cause?: NodeJS.ErrnoException };
    return { url, ok: false, said: `${url} does not answer (${cause?.code ?? message})` };
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
