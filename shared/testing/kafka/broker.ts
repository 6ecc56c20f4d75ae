/** A broker of its own for tests: one node, a real one, that can be killed, stopped and started again on its data. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '#shared/runtime/free-port.ts';
import { startServer } from '../server-process.ts';
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
  /** Adds a listener with TLS (PEM texts), PLAIN, and SCRAM of one kind. */
  readonly secure?: {
    readonly cert: string;
    readonly key: string;
    readonly user: string;
    readonly password: string;
    readonly scram?: 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
  };
}

const oneLine = (pem: string) => pem.trim().replaceAll(/\r?\n/g, '\\n');

export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const jars = await kafkaArtifacts();
  const folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-kafka-'));
  const [port, controller, securePort] = [await freePort(), await freePort(), await freePort()];
  const { secure } = options;
  const scram = secure?.scram ?? 'SCRAM-SHA-256';
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
          'sasl.enabled.mechanisms': `${scram},PLAIN`,
          'ssl.keystore.type': 'PEM',
          'ssl.keystore.certificate.chain': oneLine(secure.cert),
          'ssl.keystore.key': oneLine(secure.key),
          'listener.name.sasl_ssl.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_${secure.user}="${secure.password}";`,
          [`listener.name.sasl_ssl.${scram.toLowerCase()}.sasl.jaas.config`]:
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
  const java = (main: string, ...args: string[]) => ({
    command: 'java',
    args: ['-Xmx256m', '-Xms256m', '-XX:+UseSerialGC', '-cp', path.join(jars, '*'), main, ...args],
    cwd: folder,
  });
  const cluster = randomBytes(16).toString('base64url');
  const users = secure ? ['--add-scram', `${scram}=[name=${secure.user},password=${secure.password}]`] : [];
  const format = java('kafka.tools.StorageTool', 'format', `--cluster-id=${cluster}`, '-c', file, ...users);
  await promisify(execFile)(format.command, format.args, { cwd: folder });

  const broker = await startServer({
    ...java('kafka.Kafka', file),
    ports: secure ? [port, securePort] : [port],
    hint: 'apt-get install default-jre-headless',
  });
  return {
    address: `127.0.0.1:${port}`,
    secureAddress: secure ? `127.0.0.1:${securePort}` : null,
    kill: broker.kill,
    restart: broker.start,
    pause: broker.pause,
    resume: broker.resume,
    async [Symbol.asyncDispose]() {
      await broker.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
