/**
 * The keys of a collector's file that we use, and no others: the collector refuses a key that it does not know, and cannot be
 * had here to say so. Read in the documentation of its components, version 0.139 (github.com/open-telemetry:
 * opentelemetry-collector exporter/exporterhelper, processor/memorylimiterprocessor; opentelemetry-collector-contrib
 * receiver/filelogreceiver, extension/storage/filestorage, pkg/stanza/docs).
 */
import { z } from 'zod';

const duration = z.string().regex(/^\d+(ms|s|m|h)$/);
const size = z.string().regex(/^\d+(KiB|MiB)$/);
const endpoint = z.string().regex(/^[\w.-]+:\d+$/);
/** Of an entry: body, attributes.a.b, attributes["a.b"], resource["a.b"]. */
const field = z.string().regex(/^(body|attributes|resource)(\.\w+|\["[\w.]+"\])*$/);
const expression = z.string().min(1);
const parsed = z.strictObject({ parse_from: field });

const common = { if: expression.optional(), on_error: z.enum(['send', 'send_quiet', 'drop', 'drop_quiet']).optional() };
const operator = z.discriminatedUnion('type', [
  z.strictObject({
    ...common,
    type: z.literal('json_parser'),
    parse_from: field.optional(),
    parse_to: field.optional(),
    timestamp: parsed.extend({ layout_type: z.enum(['gotime', 'strptime', 'epoch']), layout: z.string() }).optional(),
    severity: parsed.optional(),
    trace: z.strictObject({ trace_id: parsed, span_id: parsed, trace_flags: parsed.optional() }).optional(),
  }),
  z.strictObject({ type: z.literal('filter'), expr: expression }),
  z.strictObject({ ...common, type: z.literal('move'), from: field, to: field }),
  z.strictObject({
    type: z.literal('recombine'),
    combine_field: field,
    combine_with: z.string(),
    is_last_entry: expression,
    source_identifier: field,
    max_log_size: size,
  }),
]);

const retry = z.strictObject({ enabled: z.boolean(), max_elapsed_time: z.union([duration, z.literal(0)]) });

const components = {
  receivers: {
    otlp: z.strictObject({
      protocols: z.strictObject({ grpc: z.strictObject({ endpoint }), http: z.strictObject({ endpoint }) }),
    }),
    filelog: z.strictObject({
      include: z.array(z.string().startsWith('/')).min(1),
      start_at: z.enum(['beginning', 'end']),
      include_file_path: z.boolean(),
      storage: z.string(),
      retry_on_failure: retry,
      operators: z.array(operator),
    }),
  },
  processors: {
    memory_limiter: z.strictObject({ check_interval: duration, limit_mib: z.int(), spike_limit_mib: z.int() }),
    batch: z.strictObject({}),
  },
  exporters: {
    otlp: z.strictObject({ endpoint, tls: z.strictObject({ insecure: z.boolean() }) }),
    otlphttp: z.strictObject({
      endpoint: z.url(),
      retry_on_failure: retry,
      sending_queue: z.strictObject({
        enabled: z.boolean(),
        storage: z.string(),
        queue_size: z.int(),
        batch: z.strictObject({
          flush_timeout: duration,
          min_size: z.int(),
          max_size: z.int(),
          sizer: z.enum(['items', 'bytes']),
        }),
      }),
    }),
  },
  extensions: { file_storage: z.strictObject({ directory: z.string().startsWith('/') }) },
} as const;
type Kind = keyof typeof components;

const names = z.array(z.string());
const file = z.strictObject({
  receivers: z.record(z.string(), z.unknown()),
  processors: z.record(z.string(), z.unknown()),
  exporters: z.record(z.string(), z.unknown()),
  extensions: z.record(z.string(), z.unknown()).optional(),
  service: z.strictObject({
    extensions: names.optional(),
    telemetry: z.strictObject({
      metrics: z.strictObject({
        readers: z.array(
          z.strictObject({
            pull: z.strictObject({
              exporter: z.strictObject({ prometheus: z.strictObject({ host: z.string(), port: z.int() }) }),
            }),
          }),
        ),
      }),
    }),
    pipelines: z.record(
      z.enum(['traces', 'logs']),
      z.strictObject({ receivers: names, processors: names, exporters: names }).optional(),
    ),
  }),
});

/** What is wrong with it, by its place; empty where nothing is. */
export function problemsOf(config: unknown): string[] {
  const read = file.safeParse(config);
  if (!read.success) return read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  const kinds = Object.keys(components) as Kind[];
  const wrong = kinds.flatMap((kind) =>
    Object.entries(read.data[kind] ?? {}).flatMap(([name, value]) => {
      // type, or type/name
      const schema = (components[kind] as Readonly<Record<string, z.ZodType>>)[name.split('/')[0] as string];
      if (!schema) return [`${kind}.${name} is not known`];
      const component = schema.safeParse(value ?? {});
      return component.success
        ? []
        : component.error.issues.map((issue) => `${kind}.${name}.${issue.path.join('.')}: ${issue.message}`);
    }),
  );
  const { extensions = [], pipelines } = read.data.service;
  const used = (kind: Kind) =>
    kind === 'extensions' ? extensions : Object.values(pipelines).flatMap((pipeline) => pipeline?.[kind] ?? []);
  const references = kinds.flatMap((kind) => {
    const [defined, named] = [Object.keys(read.data[kind] ?? {}), used(kind)];
    return [
      ...named.filter((name) => !defined.includes(name)).map((name) => `${kind}: ${name} is used, and not there`),
      ...defined.filter((name) => !named.includes(name)).map((name) => `${kind}: ${name} is there, and not used`),
    ];
  });
  return [...wrong, ...references];
}
