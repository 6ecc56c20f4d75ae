/**
 * `cool-mint start`: one machine, or one service of several. Says on standard output what it does: readable on a terminal, else a JSON object a
 * line, of which the one with `event: "ready"` carries the addresses.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from 'pino';
import { type StartConfig, startConfig } from '#cli/start/config.ts';
import { loadDemoOnFirstStart } from '#cli/start/first-demo.ts';
import { checkPort } from '#cli/start/listen-on.ts';
import { rolesOf, type ServiceName } from '#cli/start/roles.ts';
import { type Service, type ServiceOptions, startService } from '#cli/start/start-service.ts';
import { stopSignal } from '#cli/start/stop-signal.ts';
import { issueToken } from '#shared/access/local-issuer.ts';
import { SetupError } from '#shared/errors/setup-error.ts';
import { atMost } from '#shared/runtime/at-most.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { createLogger } from '#shared/telemetry/logger.ts';

const packageFile = new URL('../package.json', import.meta.url);
const tokenHours = 24 * 30;

export interface StartOptions {
  readonly json?: boolean;
  /** All of them where none is named. */
  readonly service?: ServiceName | undefined;
  readonly only?: 'relay' | 'apply' | undefined;
}

/** Clients of servers that are away may go on trying for a while after all was closed: they are not waited for. */
const lingerMilliseconds = 3_000;

export async function start({ json = false, service, only }: StartOptions = {}): Promise<void> {
  const given = startConfig();
  const config = { ...given, pretty: given.pretty && !json };
  const logger = createLogger(config.LOG_LEVEL, config.pretty);
  try {
    if (service) await runService(config, logger, service, only);
    else await run(config, logger);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    if (config.pretty) process.stderr.write(`\n${error.message}\n`);
    else logger.fatal({ event: 'failed' }, error.message);
    process.exitCode = 1;
  }
  setTimeout(() => {
    logger.warn({ event: 'lingered' }, 'something still holds the process; it is ended');
    process.exit();
  }, lingerMilliseconds).unref();
}

async function run(config: StartConfig, logger: Logger): Promise<void> {
  using stop = stopSignal();
  await checkPort(config.HOST, config.PORT, 'PORT');
  await checkPort(config.HOST, config.ADMIN_PORT, 'ADMIN_PORT');
  const { version } = JSON.parse(await readFile(packageFile, 'utf8')) as { version: string };
  await using machine = await unlessStopped({ config, version, logger }, stop);
  if (!machine) return;
  const announced = await announce(config, machine, version);
  await begun(machine, logger, stop.signal);
  if (config.DEMO === 'on' && !stop.signal.aborted) await loadDemoOnFirstStart(config, machine, logger, stop.signal);
  if (!stop.signal.aborted) {
    const ready = { event: 'ready', url: machine.url, adminUrl: machine.adminUrl, ...announced };
    if (config.pretty) process.stdout.write(welcome(config, machine, announced.tokenFile));
    else logger.info(ready, 'Cool Mint is ready');
  }
  await stop.asked;
  logger.info({ event: 'stopping' }, 'stopping');
  await rm(path.join(config.DATA_DIR, 'service.json'), { force: true });
}

/** A start that has begun something ends it within this time, or is cut: the next start finds what a kill leaves, too. */
const abandonMilliseconds = 5_000;

/** Null where it was told to stop before all was there, perhaps because a server does not come. */
async function unlessStopped(
  options: ServiceOptions,
  { signal, asked }: ReturnType<typeof stopSignal>,
): Promise<Service | null> {
  const starting = startService({ ...options, signal });
  const started = await Promise.race([starting, asked.then(() => null)]);
  if (started) return started;
  options.logger.info({ event: 'stopping' }, 'stopping, before it was ready');
  const ended = starting.then(
    (service) => service[Symbol.asyncDispose](),
    () => undefined,
  );
  await atMost(systemRuntime, abandonMilliseconds, ended, undefined);
  return null;
}

const pollMilliseconds = 50;
/** What takes a moment at every start is no news. */
const quietPolls = 40;

/** Resolves when all of it has begun its work, or when it is told to stop. Says what it waits for. */
async function begun({ health }: Service, logger: Logger, signal: AbortSignal): Promise<void> {
  let told = '';
  for (let polls = 0; health.starting() && !signal.aborted; polls++) {
    if (polls >= quietPolls) {
      const missing = await health.missing();
      const now = missing.join('; ');
      if (now !== told) logger.info({ event: 'waiting', missing }, `not ready yet: ${now}`);
      told = now;
    }
    await systemRuntime.sleep(pollMilliseconds, signal);
  }
}

/** One service of several: no demo data, and no file that says where it is, for it is not the whole. */
async function runService(
  config: StartConfig,
  logger: Logger,
  service: ServiceName,
  only: StartOptions['only'],
): Promise<void> {
  using stop = stopSignal();
  const roles = rolesOf(service, only);
  const { version } = JSON.parse(await readFile(packageFile, 'utf8')) as { version: string };
  await using running = await unlessStopped({ config, version, logger, roles }, stop);
  if (!running) return;
  await begun(running, logger, stop.signal);
  const ready = { event: 'ready', service, roles, url: running.url, adminUrl: running.adminUrl };
  if (!stop.signal.aborted) logger.info(ready, `the ${service} is ready`);
  await stop.asked;
  logger.info({ event: 'stopping' }, 'stopping');
}

/** Where other commands find this service, and a token for whoever may read the data folder. */
async function announce(config: StartConfig, machine: Service, version: string) {
  await mkdir(config.DATA_DIR, { recursive: true });
  const tokenFile = path.join(config.DATA_DIR, 'token');
  const tokenTenant = config.DEMO === 'on' ? 'demo' : 'main';
  const local = !config.AUTH_JWKS_URL && !config.AUTH_PUBLIC_KEY_FILE;
  if (local) {
    const token = await issueToken(config.DATA_DIR, { tenant: tokenTenant, actor: 'local-user', hours: tokenHours });
    await writeWhole(tokenFile, `${token}\n`);
  }
  const found = local ? { tokenFile, tokenTenant } : {};
  await writeWhole(
    path.join(config.DATA_DIR, 'service.json'),
    `${JSON.stringify({ url: machine.url, adminUrl: machine.adminUrl, pid: process.pid, version, startedAt: new Date().toISOString(), ...found })}\n`,
  );
  return found;
}

async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

function welcome(config: StartConfig, machine: Service, tokenFile: string | undefined): string {
  const tenant = config.DEMO === 'on' ? ' --tenant demo' : '';
  return `
  Cool Mint is ready.

    Interface   ${machine.url}/api/docs
    Status      ${machine.url}
    Metrics     ${machine.adminUrl}/metrics
    Data        ${config.DATA_DIR}
    Token       npx cool-mint token${tenant}${tokenFile ? `   (or read ${tokenFile})` : ''}

  Three things to try, in another terminal:

    npx cool-mint activities${tenant} --kind call --limit 5
    npx cool-mint select${tenant} --name "Answered calls" --kind call --outcome answered
    npx cool-mint audit${tenant}

  Ctrl-C stops it; the data stays.

`;
}
