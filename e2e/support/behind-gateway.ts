/** The three services as processes of their own behind a real gateway, as they run in containers. */
import { setTimeout as wait } from 'node:timers/promises';
import { pino } from 'pino';
import { startConfig } from '#cli/start/config.ts';
import { connectEventLog } from '#shared/event-log/connect.ts';
import { createPool } from '#shared/postgres/pool.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import type { Json } from './api.ts';
import { startGateway } from './gateway.ts';
import { type ReadyLine, type ServiceProcess, startService, stopProcess } from './service-process.ts';
import type { Machine } from './system.ts';

const services = [['command-service'], ['query-service'], ['projector']] as const;

export async function startBehindGateway(
  dataDir: string,
  settings: Readonly<Record<string, string>>,
): Promise<Machine> {
  await using stack = new AsyncDisposableStack();
  const env = { ...settings, TRUSTED_PROXIES: 'loopback', LOG_LEVEL: 'info' };
  const running: ServiceProcess[] = services.map((which) => startService(dataDir, env, which));
  stack.defer(async () => {
    for (const { child } of running) await stopProcess(child, 'SIGTERM');
  });
  const [commands, queries, projector] = (await Promise.all(running.map(({ ready }) => ready))) as [
    ReadyLine,
    ReadyLine,
    ReadyLine,
  ];
  while (!(await fetch(`${projector.adminUrl}/health/ready`)).ok) await wait(10);
  const gateway = stack.use(
    await startGateway({ commands: new URL(commands.url).host, queries: new URL(queries.url).host, generous: true }),
  );
  const config = startConfig(env);
  const databaseUrl = config.DATABASE_URL as string;
  const pool = createPool(databaseUrl, 'tests', 3, pino({ level: 'silent' }));
  stack.defer(() => pool.end());
  const log = await connectEventLog({
    eventstoreUrl: config.EVENTSTORE_URL,
    eventstoreStreamPrefix: config.EVENTSTORE_STREAM_PREFIX,
    pool,
    directUrl: databaseUrl,
    runtime: systemRuntime,
  });
  stack.defer(() => log.close());
  const owned = stack.move();
  return {
    url: gateway.url,
    pool,
    log,
    app: null,
    get errors() {
      const lines: Json[] = running.flatMap((one) => one.lines).map((line) => JSON.parse(line));
      return lines.filter(({ level }) => level === 'error' || level === 'fatal');
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
