/**
 * The files of the two collectors, for traces and for logs. The program cannot be had from npm, Maven or Debian, so they are held
 * to what can be known without it: the keys that its components document, ports and mounts of the compose file, and the lines
 * that services really print.
 */
import { readFile } from 'node:fs/promises';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createLogger } from '#shared/telemetry/logger.ts';
import { inSpan, traceIds } from '#shared/telemetry/span.ts';
import { composed } from '../deploy/testing/compose.ts';
import { problemsOf } from './testing/collector-schema.ts';

interface Operator {
  readonly type: string;
  readonly expr?: string;
  readonly parse_to?: string;
  readonly severity?: { readonly parse_from: string };
  readonly trace?: Readonly<Record<string, { readonly parse_from: string }>>;
}

interface Reader {
  readonly extensions: { readonly file_storage: { readonly directory: string } };
  readonly receivers: {
    readonly filelog: {
      readonly include: readonly string[];
      readonly start_at: string;
      readonly storage: string;
      readonly retry_on_failure: object;
      readonly operators: readonly Operator[];
    };
  };
  readonly exporters: Readonly<Record<string, { readonly retry_on_failure: object; readonly sending_queue: object }>>;
}

const textOf = (name: string) => readFile(new URL(`${name}/config.yaml`, import.meta.url), 'utf8');
const collectors = ['otel-collector', 'log-reader'] as const;
const reader = parse(await textOf('log-reader')) as Reader;
const { name: project, services } = await composed('docker-compose.yml');

describe.each(collectors)('%s', (name) => {
  test('names components and keys that there are, uses what it defines, and reads no variable that is not set', async () => {
    const text = await textOf(name);
    expect(problemsOf(parse(text))).toEqual([]);
    expect(text).not.toMatch(/\$\{/);
  });

  test('limits its memory before all else', async () => {
    for (const { processors } of Object.values(parse(await textOf(name)).service.pipelines) as {
      processors: string[];
    }[])
      expect(processors[0]).toBe('memory_limiter');
  });

  test('tells its own metrics where Prometheus asks', async () => {
    const { scrape_configs: jobs } = parse(
      await readFile(new URL('prometheus/prometheus.yml', import.meta.url), 'utf8'),
    ) as {
      scrape_configs: {
        job_name: string;
        static_configs?: { targets: string[] }[];
        dns_sd_configs?: { names: string[]; port: number }[];
      }[];
    };
    const job = jobs.find(({ job_name: each }) => each === name);
    const [found] = job?.dns_sd_configs ?? [];
    const target = found ? `${found.names[0]}:${found.port}` : job?.static_configs?.[0]?.targets[0];
    const [{ pull }] = parse(await textOf(name)).service.telemetry.metrics.readers;
    expect(services).toHaveProperty([name]);
    expect(target).toBe(`${name}:${pull.exporter.prometheus.port}`);
  });
});

test('a key that is misspelt, a component that is none, and one that nothing uses are found', async () => {
  const broken = (change: (text: string) => string) => async () =>
    problemsOf(parse(change(await textOf('log-reader'))));
  expect(await broken((text) => text.replace('start_at:', 'start_att:'))()).toContainEqual(
    expect.stringMatching(/receivers\.filelog.*start_att/),
  );
  expect(await broken((text) => text.replace('type: recombine', 'type: combine'))()).not.toEqual([]);
  expect(await broken((text) => text.replaceAll('otlphttp/loki', 'loki'))()).toEqual(['exporters.loki is not known']);
  expect(await broken((text) => text.replace('extensions: [file_storage]', 'extensions: []'))()).toEqual([
    'extensions: file_storage is there, and not used',
  ]);
  expect(await broken((text) => text.replace('from: attributes.log', 'from: attribute.log'))()).not.toEqual([]);
});

describe('the reader of logs', () => {
  const { volumes = [] } = services['log-reader'] ?? {};
  const targets = volumes.map((volume) => volume.split(':')[1] as string);

  test('reads files that are mounted, and keeps in a volume how far it is and what was not taken yet', () => {
    const { filelog } = reader.receivers;
    for (const pattern of filelog.include)
      expect(targets.some((target) => pattern.startsWith(`${target}/`))).toBe(true);
    expect(volumes).toContain(`log-reader:${reader.extensions.file_storage.directory}`);
    const forEver = { enabled: true, max_elapsed_time: 0 };
    expect(filelog).toMatchObject({ storage: 'file_storage', start_at: 'beginning', retry_on_failure: forEver });
    for (const exporter of Object.values(reader.exporters))
      expect(exporter).toMatchObject({
        retry_on_failure: forEver,
        sending_queue: { enabled: true, storage: 'file_storage' },
      });
  });

  test('takes what our containers print, and of no other', () => {
    const drop = reader.receivers.filelog.operators.find(({ type }) => type === 'filter')?.expr;
    expect(drop).toBe(`not ((attributes.attrs?.tag ?? "") startsWith "${project}-")`);
    // Compose names containers after the project; the tag is that name.
    for (const [name, { logging }] of Object.entries(services))
      expect([name, logging?.options['tag']]).toEqual([name, '{{.Name}}']);
  });

  test('finds level and trace where lines of the services have them', async () => {
    const quiet = {
      onStart: () => undefined,
      onEnd: () => undefined,
      forceFlush: async () => undefined,
      shutdown: async () => undefined,
    };
    const sdk = new NodeSDK({ spanProcessors: [quiet], instrumentations: [] });
    sdk.start();
    const lines: string[] = [];
    const logger = createLogger('info', false, { write: (line) => void lines.push(line) });
    const ids = await inSpan('work', {}, async () => {
      logger.error('a message');
      return traceIds();
    });
    await sdk.shutdown();
    const entry = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    const operator = reader.receivers.filelog.operators.find(({ trace: of }) => of);
    const valueAt = (field: string | undefined) => entry[`${field}`.replace(`${operator?.parse_to}.`, '')];
    expect(valueAt(operator?.severity?.parse_from)).toBe('error');
    expect(valueAt(operator?.trace?.['trace_id']?.parse_from)).toBe(ids.trace_id);
    expect(valueAt(operator?.trace?.['span_id']?.parse_from)).toBe(ids.span_id);
    expect(ids.trace_id).toMatch(/^[0-9a-f]{32}$/);
  });
});
