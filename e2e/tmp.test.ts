import { test } from 'vitest';
import { csvOf, sendPart, startRun, type ImportFile } from './support/import-files.ts';
import { ids } from './support/source-data.ts';
import { startSystem } from './support/system.ts';
test('x', { timeout: 40_000 }, async () => {
  const system = await startSystem();
  const api = await system.api('a');
  const file: ImportFile = { object: 'Task', text: csvOf(Array.from({ length: 4000 }, (_, i) => ({ Id: ids.task(i), Subject: `Task ${i}` }))) };
  const run = (await startRun(api, [file])).body.id;
  const t0 = performance.now();
  const log = (...a: unknown[]) => console.log(Math.round(performance.now() - t0), ...a);
  const sending = sendPart(api, run, 1, file).then((a) => { log('sent', a.status, JSON.stringify(a.body)); return a; }, (e) => log('send failed', e));
  for (;;) { const b = (await api.get(`/sync-runs/${run}`)).body; if (b.batches > 0) break; }
  log('batches');
  const c = await api.post(`/sync-runs/${run}/cancel`, { reason: 'x' });
  log('cancel', c.status, JSON.stringify(c.body));
  await Promise.race([sending, new Promise((r) => setTimeout(r, 8000))]);
  log('end');
  const types = (await system.events()).filter((e) => e.stream.startsWith('syncrun')).map((e) => e.type);
  log(types);
  log(system.errors);
});
