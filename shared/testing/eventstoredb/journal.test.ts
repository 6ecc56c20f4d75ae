/** The double with a journal: what it acknowledged is there after kill -9, once, and where it said. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { EventStoreDBClient } from '@eventstore/db-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { anEvent, doubleAndClient, idsOf, persistently } from './double-and-client.ts';
import { startEventStoreDouble } from './start-double.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-journal-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function startProcess(file: string, port = 0): Promise<{ child: ChildProcess; url: string }> {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, '--port', `${port}`, '--journal', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, url: (JSON.parse(line) as { url: string }).url };
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

const appends = 2_000;
const writers = 10;
const killedAt = [300, 900, 1_500];

test('2,000 appends, killed with -9 three times: each acknowledged one is there once, in order, at its position', {
  timeout: 120_000,
}, async () => {
  const file = path.join(folder, 'killed.ndjson');
  let { child, url } = await startProcess(file);
  const port = Number(new URL(url.replace('esdb:', 'http:')).port);
  let client = EventStoreDBClient.connectionString(url);
  const acknowledged: { id: string; stream: string; revision: bigint; position: bigint }[] = [];
  let failed = 0;
  let away: Promise<void> | undefined;
  const restart = async () => {
    await kill(child);
    ({ child } = await startProcess(file, port));
    const lost = client;
    client = EventStoreDBClient.connectionString(url);
    void Promise.race([lost.dispose(), wait(500, undefined, { ref: false })]);
  };
  const waiting = [...killedAt];
  const write = async (writer: number) => {
    const stream = `s-${writer}`;
    for (let revision = 0n; revision < appends / writers; revision++) {
      const id = randomUUID();
      const { position } = await persistently(async () => {
        await away;
        return client
          .appendToStream(stream, anEvent(id, 200), {
            expectedRevision: revision === 0n ? 'no_stream' : revision - 1n,
          })
          .catch((error: unknown) => {
            failed++;
            throw error;
          });
      });
      acknowledged.push({ id, stream, revision, position: position!.commit });
      if (acknowledged.length !== waiting[0]) continue;
      waiting.shift();
      away = restart();
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  await kill(child);
  ({ child } = await startProcess(file, port));
  client = EventStoreDBClient.connectionString(url);
  const stored: typeof acknowledged = [];
  for await (const { event } of client.readAll())
    if (event && !event.streamId.startsWith('$'))
      stored.push({
        id: event.id,
        stream: event.streamId,
        revision: event.revision,
        position: event.position!.commit,
      });
  await client.dispose();
  await kill(child);
  expect(failed).toBeGreaterThanOrEqual(killedAt.length);
  expect(stored.map(({ position }) => position)).toEqual(
    stored.map(({ position }) => position).sort((a, b) => Number(a - b)),
  );
  expect(stored).toEqual(acknowledged.sort((a, b) => Number(a.position - b.position)));
  const groups = (await readFile(file, 'utf8')).trim().split('\n');
  expect(groups.length).toBeGreaterThanOrEqual(appends);
});

test('a last line that was cut off is cut, and the log goes on before it', async () => {
  const file = path.join(folder, 'torn.ndjson');
  const ids = [randomUUID(), randomUUID()];
  {
    await using both = await doubleAndClient({ journal: file });
    await both.client.appendToStream('a', anEvent(ids[0]), { expectedRevision: 'no_stream' });
  }
  const { size } = await stat(file);
  await appendFile(file, '{"end":99999,"events":[["a","1"');
  {
    await using both = await doubleAndClient({ journal: file });
    expect(both.double.events().filter(({ stream }) => stream === 'a')).toMatchObject([{ id: ids[0], revision: 0n }]);
    await both.client.appendToStream('a', anEvent(ids[1]), { expectedRevision: 0n });
    expect(await idsOf(both.client, 'a')).toEqual(ids);
  }
  expect((await stat(file)).size).toBeGreaterThan(size);
  await using again = await startEventStoreDouble({ journal: file });
  expect(again.events().flatMap(({ stream, id }) => (stream === 'a' ? [id] : []))).toEqual(ids);
});

test('deletes, cuts and metadata are as they were before', async () => {
  const file = path.join(folder, 'deletes.ndjson');
  {
    await using both = await doubleAndClient({ journal: file });
    const { client } = both;
    for (const stream of ['soft', 'hard', 'cut']) await client.appendToStream(stream, [anEvent(), anEvent()]);
    await client.deleteStream('soft');
    await client.tombstoneStream('hard');
    await client.setStreamMetadata('cut', { truncateBefore: 1 });
  }
  await using both = await doubleAndClient({ journal: file });
  const { client } = both;
  await expect(idsOf(client, 'soft')).rejects.toMatchObject({ type: 'stream-not-found' });
  await expect(idsOf(client, 'hard')).rejects.toMatchObject({ type: 'stream-deleted' });
  expect(await idsOf(client, 'cut')).toHaveLength(1);
  const { nextExpectedRevision } = await client.appendToStream('soft', anEvent());
  expect(nextExpectedRevision).toBe(2n);
  expect(await idsOf(client, 'soft')).toHaveLength(1);
});
