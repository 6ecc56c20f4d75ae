/** The Kafka client: its settings, its words in our log, and what its errors mean to whoever set it up. */
import { readFile } from 'node:fs/promises';
import { Kafka, logLevel, type SASLOptions } from 'kafkajs';
import type { Logger } from 'pino';
import { SetupError } from '#shared/errors/setup-error.ts';
import { tlsProblem, wordsOf } from '#shared/errors/tls-problem.ts';

export interface KafkaSettings {
  /** KAFKA_BROKERS: host:port, several with commas. */
  readonly brokers: string;
  /** KAFKA_TLS_CA_FILE: the authority of the brokers' certificates; TLS is used where it is given, or `tls` is true. */
  readonly tlsCaFile?: string | undefined;
  readonly tls?: boolean | undefined;
  readonly saslMechanism?: 'plain' | 'scram-sha-256' | 'scram-sha-512' | undefined;
  readonly saslUsername?: string | undefined;
  readonly saslPasswordFile?: string | undefined;
}

async function fileOf(setting: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new SetupError(`${setting}: ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

async function saslOf(settings: KafkaSettings): Promise<SASLOptions | undefined> {
  const { saslMechanism: mechanism, saslUsername: username, saslPasswordFile: file } = settings;
  if (!mechanism && !username && !file) return undefined;
  if (!mechanism || !username || !file)
    throw new SetupError(
      'KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD_FILE belong together: set all three, or none.',
    );
  const password = (await fileOf('KAFKA_SASL_PASSWORD_FILE', file)).trim();
  return { mechanism, username, password } as SASLOptions;
}

const levels = { [logLevel.ERROR]: 'debug', [logLevel.WARN]: 'debug', [logLevel.INFO]: 'trace' } as const;

/** Rejects with a SetupError where a setting makes no sense; opens no connection. */
export async function kafkaClient(settings: KafkaSettings, logger: Logger): Promise<Kafka> {
  const brokers = settings.brokers.split(',').map((broker) => broker.trim());
  for (const broker of brokers)
    if (!/^[^\s:/]+:\d{1,5}$/.test(broker))
      throw new SetupError(`KAFKA_BROKERS: "${broker}" is not host:port. Several are separated by commas.`);
  const sasl = await saslOf(settings);
  const tls = settings.tlsCaFile
    ? { ca: [await fileOf('KAFKA_TLS_CA_FILE', settings.tlsCaFile)] }
    : (settings.tls ?? false);
  return new Kafka({
    clientId: 'cool-mint',
    brokers,
    ssl: tls,
    ...(sasl ? { sasl } : {}),
    connectionTimeout: 1_000,
    requestTimeout: 3_000,
    authenticationTimeout: 3_000,
    // A topic or broker that is away for a moment is no news: whoever calls repeats, and says so.
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 3 },
    logLevel: logLevel.WARN,
    logCreator:
      () =>
      ({ level, namespace, log }) =>
        logger[levels[level as keyof typeof levels] ?? 'trace']({ kafka: namespace }, log.message),
  });
}

/** A broker that expects something else hangs up; one that is starting or ending does, too. */
export const isHangUp = (error: unknown): boolean => /Closed connection/i.test(wordsOf(error));

/** What keeps Kafka from being used, as what to set; null where it may pass by itself (the broker is away). */
export function setupProblem(error: unknown, settings: KafkaSettings): string | null {
  const text = wordsOf(error);
  const place = `KAFKA_BROKERS (${settings.brokers})`;
  const secure = Boolean(settings.tlsCaFile || settings.tls);
  if (/SASLAuthentication/i.test(text))
    return `${place}: the broker refuses the user or password. Correct KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD_FILE.`;
  if (/mechanism/i.test(text))
    return `${place}: the broker does not offer the SASL mechanism. Correct KAFKA_SASL_MECHANISM.`;
  const certificate = tlsProblem(error, 'Name the file of its authority in KAFKA_TLS_CA_FILE.');
  if (certificate) return `${place}: a broker cannot be used: ${certificate}`;
  if (/before secure TLS connection|wrong version number|EPROTO/i.test(text) && secure)
    return `${place}: the broker does not speak TLS on this port. Correct the port, or unset KAFKA_TLS_CA_FILE.`;
  if (isHangUp(error))
    return secure
      ? `${place}: the broker hangs up. It probably wants a user: set KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD_FILE.`
      : `${place}: the broker hangs up. It probably wants TLS on this port: set KAFKA_TLS_CA_FILE, or correct the port.`;
  return null;
}
