/** docs/events.md, made of the schemas of the events. */
import { z } from 'zod';
import { eventsByCategory } from '#shared/events/event.ts';
import { eventMetadata } from '#shared/events/metadata.ts';

interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly additionalProperties?: JsonSchema | boolean;
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function typeOf(schema: JsonSchema): string {
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(' or ');
  if (schema.type === 'array') return `list of ${schema.items?.properties ? 'objects' : typeOf(schema.items ?? {})}`;
  if (schema.type === 'object' && typeof schema.additionalProperties === 'object' && !schema.properties)
    return `map to ${typeOf(schema.additionalProperties)}`;
  if (Array.isArray(schema.type)) return schema.type.join(' or ');
  return schema.format ? `${schema.type} (${schema.format})` : String(schema.type ?? 'any');
}

function rows(schema: JsonSchema, prefix = ''): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const optional = schema.required?.includes(name) ? '' : ', optional';
    const inner = field.properties ? field : field.items?.properties ? field.items : null;
    const suffix = field.items?.properties ? '[]' : '';
    return [
      `| \`${prefix}${name}${suffix}\` | ${cell(typeOf(field))}${optional} | ${cell(field.description ?? '')} |`,
      ...(inner ? rows(inner, `${prefix}${name}${suffix}.`) : []),
    ];
  });
}

const table = (schema: z.ZodType): string =>
  [
    '| field | type | meaning |',
    '| --- | --- | --- |',
    ...rows(z.toJSONSchema(schema, { io: 'input' }) as JsonSchema),
  ].join('\n');

export function eventsDoc(): string {
  const sections = Object.entries(eventsByCategory).map(([category, events]) => {
    const parts: string[] = [`## Streams \`${category}-…\``];
    let before = '';
    for (const [type, { version, about, data }] of Object.entries(events)) {
      const fields = table(data);
      parts.push(
        `### ${type}, version ${version}\n\n${about}`,
        fields === before ? 'The same fields as above.' : fields,
      );
      before = fields;
    }
    return parts.join('\n\n');
  });
  return `# Events

Generated from the schemas in \`shared/events/\` by \`npm run docs\`; do not edit. How hashes and digests are made: [hashes.md](hashes.md).

The part of a stream's name before the first dash is its category. Personal data stands in \`personal\` only.

## Metadata of every event

${table(eventMetadata)}

${sections.join('\n\n')}
`;
}

export const eventsDocFile = new URL('../docs/events.md', import.meta.url);
