/** docs/configuration.md, made of the schemas of the settings, and of the variables of the compose file. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { verbSettings } from '#cli/config.ts';
import { startSettings } from '#cli/start/config.ts';
import { s3Settings } from '#shared/backup/s3/config.ts';

interface SettingSchema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly description?: string;
}

/** In the order in which they are told; each setting fits one. */
const groups: readonly (readonly [title: string, pattern: RegExp])[] = [
  ['The process', /^(?!DATABASE_|EVENTSTORE_|KAFKA_|REDIS_|AUTH_)/],
  ['Postgres', /^DATABASE_/],
  ['The event log', /^EVENTSTORE_/],
  ['Kafka', /^KAFKA_/],
  ['Redis', /^REDIS_/],
  ['Access', /^AUTH_/],
];

const cell = (text: string) => text.replaceAll('|', '\\|');

function valuesOf({ type, enum: values, format, pattern, minimum, maximum }: SettingSchema): string {
  if (values) return values.map((value) => `\`${value}\``).join(', ');
  if (type === 'integer')
    return `whole number, ${minimum} ${maximum === Number.MAX_SAFE_INTEGER ? 'or more' : `to ${maximum}`}`;
  if (format === 'uri') return 'URL';
  return pattern ? `text, \`${pattern}\`` : 'text';
}

function rowOf([name, schema]: [string, SettingSchema]): string {
  const fallback = schema.default === undefined ? '' : `\`${schema.default}\``;
  return `| \`${name}\` | ${cell(valuesOf(schema))} | ${fallback} | ${cell(schema.description ?? '')} |`;
}

function settingsOf(schema: z.ZodType): [string, SettingSchema][] {
  const { properties } = z.toJSONSchema(schema, { unrepresentable: 'any' }) as {
    properties: Record<string, SettingSchema>;
  };
  return Object.entries(properties);
}

const tableOf = (rows: readonly [string, SettingSchema][]): string =>
  `| setting | value | default | what it is |\n| --- | --- | --- | --- |\n${rows.map(rowOf).join('\n')}`;

/** What `docker compose` itself reads, from its environment or from `.env`. */
const ofCompose: Readonly<Record<string, string>> = {
  COMPOSE_FILE: 'the files, with colons: docker-compose.yml:docker-compose.production.yml',
  COMPOSE_PROFILES: '`backup`, `machine`, with commas',
  GATEWAY_PORT: 'where the gateway is to be had; in production what comes there is led to 443',
  GRAFANA_PORT: 'where Grafana is to be had, on this machine only',
  GRAFANA_PASSWORD: 'of its user admin; in production a file',
  POSTGRES_PASSWORD: 'of the user cool_mint; counts where the volume is made. In production a file',
  LOG_LEVEL: 'as above',
  KAFKA_TOPIC: 'as above',
  AUTH_JWKS_URL: 'as above',
  MINT_TOKEN: 'as below: for verbs where an identity provider signs',
  BACKUP_TO:
    'where the profile `backup` backs up to: a folder of its container, of which /backups is a volume, or s3://bucket/prefix',
  BACKUP_EVERY: 'how often',
  BACKUP_S3_ENDPOINT: 'as below',
  AWS_REGION: 'as below',
  AWS_ACCESS_KEY_ID: 'credentials for it; in production rather the file `aws_credentials`',
  AWS_SECRET_ACCESS_KEY: 'the same',
  AWS_SESSION_TOKEN: 'the same',
  DOCKER_CONTAINERS: 'where Docker has its folder of containers, for the log reader (profile `machine`)',
};

function composeTable(): string {
  const text = readFileSync(new URL('../docker-compose.yml', import.meta.url), 'utf8');
  const found = new Map([...text.matchAll(/\$\{(\w+):-([^}]*)\}/g)].map(([, name = '', value = '']) => [name, value]));
  const missing = [...found.keys()].filter((name) => !(name in ofCompose));
  const gone = Object.keys(ofCompose).filter((name) => !found.has(name) && !name.startsWith('COMPOSE_'));
  if (missing.length + gone.length > 0) throw new Error(`variables of docker-compose.yml: ${[...missing, ...gone]}`);
  const rows = Object.entries(ofCompose).map(
    ([name, about]) => `| \`${name}\` | ${found.get(name) ? `\`${found.get(name)}\`` : ''} | ${cell(about)} |`,
  );
  return `| variable | default | what it is |\n| --- | --- | --- |\n${rows.join('\n')}`;
}

export function configurationDoc(): string {
  const tables = groups.map(([title, pattern]) => {
    const rows = settingsOf(startSettings).filter(([name]) => pattern.test(name));
    return `## ${title}\n\n${tableOf(rows)}`;
  });
  return `# Settings

Generated from the schemas in \`cli/start/config.ts\`, \`cli/config.ts\` and \`shared/backup/s3/config.ts\`, and from \`docker-compose.yml\`, by \`npm run docs\`; do not edit.

Settings are environment variables of \`npm start\` and of \`cool-mint start\`. Each may be left out; an empty one counts as left out. One that
cannot be is told by name at the start, and nothing is started.

**From files.** Instead of any setting NAME there may be NAME_FILE: the file that holds the value, as secrets of containers do
(\`DATABASE_URL_FILE=/run/secrets/database_url\`). A line end at its end is left out. Both at once are refused. Settings that end in \`_FILE\` themselves are
about a file, and have no such form.

${tables.join('\n\n')}

## Tracing

OpenTelemetry reads its own variables: \`OTEL_EXPORTER_OTLP_ENDPOINT\` (where traces go, by OTLP over HTTP; without it nothing is sent),
\`OTEL_SERVICE_NAME\` (\`cool-mint\`), and [the others](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). Metrics are at \`/metrics\` on \`ADMIN_PORT\`,
logs on standard output.

## The command line

Verbs that talk to a service read \`DATA_DIR\`, and ([cli.md](cli.md)):

| setting | what it is |
| --- | --- |
${Object.entries(verbSettings)
  .map(([name, about]) => `| \`${name}\` | ${cell(about)} |`)
  .join('\n')}

\`backup\`, \`restore\`, \`log\` and \`doctor\` read those of \`start\`.

## Backups in S3

${tableOf(settingsOf(s3Settings))}

Credentials are found as by every tool of AWS: \`AWS_ACCESS_KEY_ID\`, \`AWS_SECRET_ACCESS_KEY\`, \`AWS_SESSION_TOKEN\`, \`AWS_PROFILE\`, \`AWS_SHARED_CREDENTIALS_FILE\`, \`AWS_CONFIG_FILE\`, the role of a machine or container
([backup.md](backup.md#to-s3)).

## Docker Compose

In the environment of \`docker compose\`, or in \`.env\` beside its files ([deployment.md](deployment.md)). What is not here stands in the files themselves.

${composeTable()}
`;
}

export const configurationDocFile = new URL('../docs/configuration.md', import.meta.url);
