/** The settings of one machine. Every one has a default that works. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { SetupError } from '#shared/errors/setup-error.ts';

const projectRoot = fileURLToPath(new URL('../..', import.meta.url));
const port = z.coerce.number().int().min(0).max(65_535);
const url = z.string().min(1);

const settings = z.object({
  PORT: port.default(3000).describe('commands, queries and docs; 0 takes a free one'),
  ADMIN_PORT: port.default(3001).describe('health and metrics; 0 takes a free one'),
  HOST: z.string().default('127.0.0.1').describe('address to listen on'),
  DATA_DIR: z
    .string()
    .min(1)
    .default('.data')
    .describe('folder of the embedded database, keys and tokens; relative to the project'),
  DEMO: z.enum(['on', 'off']).default('on').describe('load demo data into the tenant demo on first start'),
  DEMO_ACTIVITIES: z.coerce.number().int().min(1).default(5_000).describe('how many'),
  DATABASE_URL: url.optional().describe('a Postgres of your own instead of the embedded one'),
  DATABASE_DIRECT_URL: url.optional().describe('the same without a transaction pooler, for LISTEN and migrations'),
  AUTH_JWKS_URL: z.url().optional().describe('keys of your identity provider'),
  AUTH_PUBLIC_KEY_FILE: z.string().optional().describe('its public key, PEM'),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
});

/** Adapters that this version does not have yet: silently ignoring them would run on something else. */
const later = ['EVENTSTORE_URL', 'KAFKA_BROKERS', 'REDIS_URL'];

export type StartConfig = Omit<z.infer<typeof settings>, 'DATA_DIR'> & {
  readonly DATA_DIR: string;
  readonly pretty: boolean;
};

export function startConfig(environment: Readonly<Record<string, string | undefined>> = process.env): StartConfig {
  const unsupported = later.filter((name) => environment[name]);
  if (unsupported.length > 0)
    throw new SetupError(
      `${unsupported.join(', ')}: not supported by this version. Unset it to run on the embedded defaults.`,
    );
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const read = settings.safeParse(given);
  if (!read.success)
    throw new SetupError(
      read.error.issues
        .map((issue) => `${issue.path.join('.')}: ${issue.message} (given: "${environment[String(issue.path[0])]}")`)
        .join('\n'),
    );
  return {
    ...read.data,
    DATA_DIR: path.resolve(projectRoot, read.data.DATA_DIR),
    pretty: Boolean(process.stdout.isTTY),
  };
}
