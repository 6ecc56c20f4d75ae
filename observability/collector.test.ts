/**
 * The collector's file. Its program cannot be had from npm, Maven or Debian, so the file is held to what can be known without it:
 * components that are defined and used, ports and mounts of the compose file, and the lines that services really print.
 */
import { readFile } from 'node:fs/promises';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createLogger } from '#shared/telemetry/logger.ts';
import { inSpan, traceIds } from '#shared/telemetry/span.ts';
import { composed } from '../deploy/testing/compose.ts';

interface Operator {
  readonly type: string;
  readonly parse_to?: string;
  readonly severity?: { readonly parse_from: string };
  readonly trace?: Readonly<Record<string, { readonly parse_from: string }>>;
  readonly timestamp?: { readonly parse_from: string };
}

interface Collector {
  readonly receivers: {
    readonly otlp: { readonly protocols: Readonly<Record<string, { readonly endpoint: string }>> };
    readonly filelog: { readonly include: readonly string[]; readonly operators: readonly Operator[] };
  };
  readonly processors: Readonly<Record<string, unknown>>;
  readonly exporters: Readonly<Record<string, { readonly endpoint: string }>>;
  readonly service: {
    readonly pipelines: Readonly<Record<string, Readonly<Record<'receivers' | 'processors' | 'exporters', string[]>>>>;
    readonly telemetry: { readonly metrics: { readonly readers: readonly Record<string, unknown>[] } };
  };
}

const text = await readFile(new URL('otel-collector/config.yaml', import.meta.url), 'utf8');
const collector = parse(text) as Collector;
const { services } = await composed('docker-compose.yml');

describe('the collector', () => {
  test('has no component that no pipeline uses, and no pipeline with one that is not there', () => {
    for (const kind of ['receivers', 'processors', 'exporters'] as const) {
      const used = new Set(Object.values(collector.service.pipelines).flatMap((pipeline) => pipeline[kind]));
      expect([...used].sort(), kind).toEqual(Object.keys(collector[kind]).sort());
    }
  });

  test('limits its memory before all else, and puts together what it sends last', () => {
    for (const { processors } of Object.values(collector.service.pipelines)) {
      expect(processors[0]).toBe('memory_limiter');
      expect(processors.at(-1)).toBe('batch');
    }
  });

  test('tells its own metrics where Prometheus asks', async () => {
    const { scrape_configs: jobs } = parse(
      await readFile(new URL('prometheus/prometheus.yml', import.meta.url), 'utf8'),
    ) as { scrape_configs: { job_name: string; static_configs?: { targets: string[] }[] }[] };
    const [target = ''] =
      jobs.find(({ job_name: name }) => name === 'otel-collector')?.static_configs?.[0]?.targets ?? [];
    const [host, port] = target.split(':');
    expect(services).toHaveProperty([host as string]);
    expect(JSON.stringify(collector.service.telemetry.metrics.readers)).toContain(`"port":${port}`);
  });

  test('reads the files that are mounted, and no variable that is not set', () => {
    for (const pattern of collector.receivers.filelog.include)
      expect(
        services['otel-collector']?.volumes?.some((volume) => pattern.startsWith(`${volume.split(':')[1]}/`)),
        pattern,
      ).toBe(true);
    expect(text).not.toMatch(/\$\{/);
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
    const operator = collector.receivers.filelog.operators.find(({ trace: of }) => of);
    const valueAt = (field: string | undefined) => entry[`${field}`.replace(`${operator?.parse_to}.`, '')];
    expect(valueAt(operator?.severity?.parse_from)).toBe('error');
    expect(valueAt(operator?.trace?.['trace_id']?.parse_from)).toBe(ids.trace_id);
    expect(valueAt(operator?.trace?.['span_id']?.parse_from)).toBe(ids.span_id);
    expect(ids.trace_id).toMatch(/^[0-9a-f]{32}$/);
  });
});
