/** A broker of its own for tests: one node, a real one, that can be killed, stopped and started again on its data. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { kafkaArtifacts } from './artifacts.ts';

export interface Broker extends AsyncDisposable {
  /** `host:port`, without TLS and credentials. */
  readonly address: string;
  /** With TLS and SCRAM, where they were asked for. */
  readonly secureAddress: string | null;
  kill(): Promise<void>;
  /** Resolves when it listens again. */
  restart(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  pause(): void;
  resume(): void;
}

export interface BrokerOptions {
  /** Adds a listener with TLS (PEM texts) and SCRAM-SHA-256. */
  readonly secure?: { readonly cert: string; readonly key: string; readonly user: string; readonly password: string };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}

async function listening(port: number, child: ChildProcess, said: () => string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the broker ended with ${child.exitCode}: ${said()}`);
    const socket = connect(port, '127.0.0.1');
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await wait(50);
  }
}

const oneLine = (pem: string) => pem.trim().replaceAll(/\r?\n/g, '\\n');

export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const jars = await kafkaArtifacts();
  const folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-kafka-'));
  const [port, controller, securePort] = [await freePort(), await freePort(), await freePort()];
  const { secure } = options;
  const listeners = [`PLAINTEXT://127.0.0.1:${port}`, ...(secure ? [`SASL_SSL://127.0.0.1:${securePort}`] : [])];
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: [...listeners, `CONTROLLER://127.0.0.1:${controller}`].join(','),
    'advertised.listeners': listeners.join(','),
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': path.join(folder, 'data'),
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'offsets.topic.num.partitions': '4',
    'group.initial.rebalance.delay.ms': '0',
    'auto.create.topics.enable': 'false',
    'log.retention.check.interval.ms': '500',
    // Its own registration of before is waited for after a kill.
    'broker.session.timeout.ms': '1000',
    'broker.heartbeat.interval.ms': '200',
    ...(secure
      ? {
          'sasl.enabled.mechanisms': 'SCRAM-SHA-256,PLAIN',
          'ssl.keystore.type': 'PEM',
          'ssl.keystore.certificate.chain': oneLine(secure.cert),
          'ssl.keystore.key': oneLine(secure.key),
          'listener.name.sasl_ssl.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_${secure.user}="${secure.password}";`,
          'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config':
            'org.apache.kafka.common.security.scram.ScramLoginModule required;',
        }
      : {}),
  };
  const file = path.join(folder, 'server.properties');
  await writeFile(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  // No log4j configuration: errors only, on standard output.
  const java = (main: string, ...args: string[]) =>
    spawn('java', ['-Xmx256m', '-Xms256m', '-XX:+UseSerialGC', '-cp', path.join(jars, '*'), main, ...args], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  let said = '';
  const hear = (child: ChildProcess) => {
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-4_000);
      });
    return child;
  };
  const cluster = randomBytes(16).toString('base64url');
  const scram = secure ? ['--add-scram', `SCRAM-SHA-256=[name=${secure.user},password=${secure.password}]`] : [];
  const format = hear(java('kafka.tools.StorageTool', 'format', `--cluster-id=${cluster}`, '-c', file, ...scram));
  const [code] = await once(format, 'exit');
  if (code !== 0) throw new Error(`the broker's storage could not be formatted: ${said}`);

  let child: ChildProcess;
  const start = async () => {
    child = hear(java('kafka.Kafka', file));
    await listening(port, child, () => said);
    if (secure) await listening(securePort, child, () => said);
  };
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  await start();
  return {
    address: `127.0.0.1:${port}`,
    secureAddress: secure ? `127.0.0.1:${securePort}` : null,
    kill,
    restart: start,
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async [Symbol.asyncDispose]() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
