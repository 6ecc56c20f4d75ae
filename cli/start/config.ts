/** The settings of one machine. Every one has a default that works. */
import { isIP } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { withSettingFiles } from '#cli/start/setting-files.ts';
import { SetupError } from '#shared/errors/setup-error.ts';
import { withoutCredentials } from '#shared/errors/without-credentials.ts';
import { categories } from '#shared/events/stream-name.ts';

const projectRoot = fileURLToPath(new URL('../..', import.meta.url));
const port = z.coerce.number().int().min(0).max(65_535);
const url = z.string().min(1);

/** `loopback`, `uniquelocal`, an address, or a network as address/bits; not the network of everybody (0 bits). */
function isProxy(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  if (bits === undefined && ['loopback', 'linklocal', 'uniquelocal'].includes(address)) return true;
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  return most > 0 && rest.length === 0 && (bits === undefined || (/^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= most));
}

export const startSettings = z.object({
  PORT: port.default(3000).describe('commands, queries and docs; 0 takes a free one'),
  ADMIN_PORT: port.default(3001).describe('health and metrics; 0 takes a free one'),
  HOST: z.string().default('127.0.0.1').describe('address to listen on'),
  TRUSTED_PROXIES: z
    .string()
    .transform((list) => list.split(',').map((each) => each.trim()))
    .refine((list) => list.every(isProxy), {
      error:
        'must be addresses or networks (10.0.0.0/8; not /0, which is everybody), loopback, linklocal or uniquelocal, with commas',
    })
    .optional()
    .describe(
      'the gateways in front, addresses or networks with commas: who calls is what their X-Forwarded-For says, for the audit trail',
    ),
  DATA_DIR: z
    .string()
    .min(1)
    .default('.data')
    .describe('folder of the embedded database, keys and tokens; relative to the project'),
  DEMO: z.enum(['on', 'off']).default('on').describe('load demo data into the tenant demo on first start'),
  DEMO_ACTIVITIES: z.coerce.number().int().min(1).default(5_000).describe('how many'),
  DATABASE_URL: url.optional().describe('a Postgres of your own instead of the embedded one'),
  DATABASE_DIRECT_URL: url.optional().describe('the same without a transaction pooler, for LISTEN and migrations'),
  EVENTSTORE_URL: url
    .optional()
    .describe('an EventStoreDB for the event log, esdb://…, instead of a table in Postgres'),
  EVENTSTORE_STREAM_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'letters, digits, dots, dashes and underscores only')
    .refine((prefix) => !categories.some((category) => prefix.startsWith(`${category}-`)), {
      error: `must not begin like a stream of an installation without a prefix (${categories.join('-, ')}-)`,
    })
    .optional()
    .describe('before the names of all streams, where several installations share one EventStoreDB'),
  KAFKA_BROKERS: url
    .optional()
    .describe('brokers, host:port with commas: the relay sends the log to a topic, and projections read that'),
  KAFKA_TOPIC: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,200}$/)
    .default('cool-mint.events')
    .describe('its name; the groups of readers are named after it'),
  KAFKA_PARTITIONS: z.coerce.number().int().min(1).max(64).default(6).describe('of a topic that is made'),
  KAFKA_RETENTION_HOURS: z.coerce.number().int().min(1).default(168).describe('of a topic that is made'),
  KAFKA_REPLICATION_FACTOR: z.coerce
    .number()
    .int()
    .min(-1)
    .default(-1)
    .describe('of a topic that is made; -1: as the brokers are set up'),
  KAFKA_TLS: z.enum(['on', 'off']).default('off').describe('TLS with certificates of public authorities'),
  KAFKA_TLS_CA_FILE: z.string().optional().describe('the authority of their certificates, PEM; switches TLS on'),
  KAFKA_SASL_MECHANISM: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).optional().describe('how to sign in there'),
  KAFKA_SASL_USERNAME: z.string().optional().describe('as whom'),
  KAFKA_SASL_PASSWORD_FILE: z.string().optional().describe('a file that holds the password'),
  REDIS_URL: url
    .optional()
    .describe('a Redis for the cache, redis://… or rediss://… (TLS), instead of the memory of the process'),
  REDIS_TLS_CA_FILE: z
    .string()
    .optional()
    .describe('the authority of its certificate, PEM, where it is not a public one'),
  AUTH_JWKS_URL: z.url().optional().describe('keys of your identity provider'),
  AUTH_PUBLIC_KEY_FILE: z.string().optional().describe('its public key, PEM'),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('the least that is logged'),
});

export type StartConfig = Omit<z.infer<typeof startSettings>, 'DATA_DIR'> & {
  readonly DATA_DIR: string;
  readonly pretty: boolean;
};

export function startConfig(environment: Readonly<Record<string, string | undefined>> = process.env): StartConfig {
  const set = Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => Boolean(entry[1])),
  );
  const read = startSettings.safeParse(withSettingFiles(set, Object.keys(startSettings.shape)));
  if (!read.success)
    throw new SetupError(
      read.error.issues
        .map(({ path: [name], message }) => {
          const file = set[String(name)] === undefined ? set[`${String(name)}_FILE`] : undefined;
          return `${String(name)}: ${message} (${file ? `in the file ${file}` : `given: "${withoutCredentials(environment[String(name)] ?? '')}"`})`;
        })
        .join('\n'),
    );
  return {
    ...read.data,
    DATA_DIR: path.resolve(projectRoot, read.data.DATA_DIR),
    pretty: Boolean(process.stdout.isTTY),
  };
}
