/** docs/configuration.md, made of the schema of the settings. */
import { z } from 'zod';
import { startSettings } from '#cli/start/config.ts';

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

export function configurationDoc(): string {
  const { properties } = z.toJSONSchema(startSettings, { unrepresentable: 'any' }) as {
    properties: Record<string, SettingSchema>;
  };
  const tables = groups.map(([title, pattern]) => {
    const rows = Object.entries(properties).filter(([name]) => pattern.test(name));
    return `## ${title}\n\n| setting | value | default | what it is |\n| --- | --- | --- | --- |\n${rows.map(rowOf).join('\n')}`;
  });
  return `# Settings

Generated from the schema in \`cli/start/config.ts\` by \`npm run docs\`; do not edit.

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

\`MINT_URL\`, \`MINT_TOKEN\` and \`DATA_DIR\` say which service a verb talks to: [cli.md](cli.md).
`;
}

export const configurationDocFile = new URL('../docs/configuration.md', import.meta.url);
