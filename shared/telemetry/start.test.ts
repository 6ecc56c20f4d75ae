import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const span = new URL('span.ts', import.meta.url).href;
const start = fileURLToPath(new URL('start.ts', import.meta.url));

test('ids of traces are made also where no trace is sent anywhere, and say that they are not sampled', () => {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: _endpoint, OTEL_TRACES_EXPORTER: _exporter, ...env } = process.env;
  const code = `
    const { currentTraceparent, inSpan, traceIds } = await import('${span}');
    await inSpan('work', {}, async () => console.log(JSON.stringify([traceIds().trace_id, currentTraceparent()])));`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--import', start, '--input-type=module', '--eval', code],
    { env, encoding: 'utf8' },
  );
  const [id, traceparent] = JSON.parse(stdout || `["${stderr}"]`) as string[];
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(traceparent).toMatch(new RegExp(`^00-${id}-[0-9a-f]{16}-00$`));
});
