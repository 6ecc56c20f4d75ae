/** The service as its users meet it: a process of its own, and HTTP. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { demoFiles } from '#shared/demo/demo-files.ts';
import { seconds } from './measure.ts';

const root = new URL('../', import.meta.url);

/** Starts a Node process that says where it listens in its first line that has `url`. */
export async function startProcess(
  args: readonly string[],
  env: Record<string, string>,
): Promise<{ url: string; stop(): Promise<void> }> {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const { url } = JSON.parse(line);
    if (!url) continue;
    child.stdout.resume();
    return {
      url,
      stop: async () => {
        child.kill('SIGTERM');
        if (child.exitCode === null) await once(child, 'exit');
      },
    };
  }
  throw new Error('the process ended before it listened');
}

export interface Client {
  call(method: string, path: string, options?: { body?: unknown; headers?: Record<string, string> }): Promise<Response>;
}

export const clientOf = (url: string, token: string): Client => ({
  call: (method, route, { body, headers } = {}) =>
    fetch(`${url}${route}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
});

export async function okay(response: Response): Promise<Response> {
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return response;
}

/** Imports files in one run; answers how long it took, in seconds, and where it ended. */
export async function importFiles(
  client: Client,
  url: string,
  token: string,
  files: ReturnType<typeof demoFiles>,
): Promise<{ readonly took: number; readonly position: string }> {
  let position = '';
  const took = await seconds(async () => {
    const run = (await (await okay(await client.call('POST', '/api/v1/sync-runs', { body: {} }))).json()) as {
      id: string;
    };
    for (const [index, file] of files.entries()) {
      const body = Readable.toWeb(Readable.from(file.rows(), { objectMode: false })) as ReadableStream;
      await okay(
        await fetch(`${url}/api/v1/sync-runs/${run.id}/parts/${index + 1}?object=${file.object}`, {
          method: 'PUT',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'text/csv' },
          body,
          duplex: 'half',
        } as RequestInit),
      );
    }
    const done = await okay(await client.call('POST', `/api/v1/sync-runs/${run.id}/complete`));
    position = done.headers.get('cool-mint-position') ?? '';
  });
  return { took, position };
}
