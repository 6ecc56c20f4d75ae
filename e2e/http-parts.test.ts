/** Parts of sync runs over connections that break, with digests that lie, twice, together and in the wrong form. */
import { Agent, request } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Answer, Api, Json } from './support/api.ts';
import {
  announcement,
  csvOf,
  digestHeader,
  digestOf,
  type ImportFile,
  importFiles,
  ndjsonOf,
  sendPart,
  startRun,
} from './support/import-files.ts';
import { expectProblem } from './support/problem.ts';
import { ids } from './support/source-data.ts';
import { isBehindGateway, type System, startSystem } from './support/system.ts';

let system: System;
let api: Api;
let tenant = 0;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system[Symbol.asyncDispose]());
beforeEach(async () => {
  api = await system.api(`parts-${tenant++}`);
});

const rowsOf = (count: number, subject = 'Task') =>
  Array.from({ length: count }, (_, index) => ({
    Id: ids.task(index),
    Subject: `${subject} ${index}`,
    SystemModstamp: '2026-01-01T00:00:00Z',
  }));
const tasks = (count: number, subject?: string): ImportFile => ({
  object: 'Task',
  text: csvOf(rowsOf(count, subject)),
});
const begin = async (files: readonly ImportFile[] = []) => (await api.ok(startRun(api, files))).body.id as string;
const complete = (run: string) => api.post(`/sync-runs/${run}/complete`);
const nothing = { revised: 0, unchanged: 0, stale: 0, deleted: 0, rejected: 0 };

async function recorded(): Promise<Map<string, number>> {
  const events = (await system.events()).filter(({ metadata }) => metadata.tenant === api.tenant);
  const streams = new Map<string, number>();
  for (const { stream } of events)
    if (stream.startsWith('activity-')) streams.set(stream, (streams.get(stream) ?? 0) + 1);
  return streams;
}
const eachOnce = async (count: number) => {
  const streams = await recorded();
  expect(streams.size).toBe(count);
  expect([...streams.values()].every((events) => events === 1)).toBe(true);
};

/** Sends the first bytes of a part, waits until the run tells of its first batch, and breaks the connection. */
async function breakOff(run: string, file: ImportFile, bytes: number): Promise<void> {
  const sent = request(`${system.machine.url}/api/v1/sync-runs/${run}/parts/1?object=${file.object}`, {
    method: 'PUT',
    headers: {
      Authorization: `Bearer ${api.token}`,
      'Content-Type': 'text/csv',
      'Content-Length': Buffer.byteLength(file.text),
    },
  });
  const broken = new Promise<void>((resolve) => sent.once('close', resolve).once('error', () => undefined));
  sent.write(Buffer.from(file.text).subarray(0, bytes));
  await expect
    .poll(async () => (await api.get(`/sync-runs/${run}`)).body.batches, { timeout: 10_000 })
    .toBeGreaterThan(0);
  sent.destroy();
  await broken;
}

describe('a part', () => {
  test('that was cut by a broken connection goes on where it was, and records nothing twice', async () => {
    const file = tasks(4_000);
    const run = await begin([file]);
    const size = Buffer.byteLength(file.text);
    await breakOff(run, file, Math.floor(size * 0.6));
    // The server notices by itself; until then the run is busy, and says when to come back.
    let resumed: Answer;
    for (;;) {
      resumed = await startRun(api, [file]);
      if (resumed.status !== 409) break;
      expectProblem(resumed, 409, 'sync-run-busy');
    }
    expect([resumed.status, resumed.body.id, resumed.body.resumed]).toEqual([200, run, true]);
    const [part] = resumed.body.parts;
    expect(part.whole).toBe(false);
    expect(part.batches).toBeGreaterThan(0);
    expectProblem(await complete(run), 409, 'sync-run-incomplete');
    const again = await api.ok(sendPart(api, run, 1, file));
    expect(again.body.parts).toEqual([{ part: 1, batches: 8, whole: true }]);
    expect((await api.ok(complete(run))).body.totals).toEqual({ ...nothing, received: 4_000, recorded: 4_000 });
    await eachOnce(4_000);
  });

  test('sent twice, and once more after the end, counts once', async () => {
    const file = tasks(700);
    const run = await begin([file]);
    const first = await api.ok(sendPart(api, run, 1, file));
    const second = await api.ok(sendPart(api, run, 1, file));
    expect([second.body, second.position, second.headers.get('etag')]).toEqual([
      first.body,
      first.position,
      first.headers.get('etag'),
    ]);
    await api.ok(complete(run));
    expect((await api.ok(complete(run))).body.status).toBe('completed');
    expectProblem(await sendPart(api, run, 1, file), 409, 'sync-run-ended');
    await eachOnce(700);
  });

  test('sent by several at once is received by one; the others are told to wait', async () => {
    const file = tasks(3_000);
    const run = await begin([file]);
    const answers = await Promise.all([1, 2, 3, 4].map(() => sendPart(api, run, 1, file)));
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(1);
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      expectProblem(answer, 409, 'sync-run-busy');
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect((await api.ok(complete(run))).body.totals).toEqual({ ...nothing, received: 3_000, recorded: 3_000 });
    await eachOnce(3_000);
  });

  test('without a digest is taken; one that was announced must be what was announced all the same', async () => {
    const file = tasks(30);
    const run = await begin();
    await api.ok(sendPart(api, run, 1, file, {}));
    await api.ok(complete(run));
    const announced = await begin([tasks(30, 'Announced')]);
    expectProblem(await sendPart(api, announced, 1, tasks(30, 'Other'), {}), 422, 'digest-differs');
    const subjects = (await system.events())
      .filter(({ metadata }) => metadata.tenant === api.tenant)
      .map(({ data }) => JSON.stringify(data));
    expect(subjects.filter((text) => text.includes('Other'))).toEqual([]);
  });

  test('whose digest lies ends the run, and another run makes all good', async () => {
    const file = tasks(1_200);
    const run = await begin();
    const lying = { 'Content-Digest': digestHeader('something else') };
    expectProblem(await sendPart(api, run, 1, file, lying), 422, 'digest-differs');
    expectProblem(await sendPart(api, run, 1, file), 409, 'sync-run-ended');
    expectProblem(await complete(run), 409, 'sync-run-ended');
    const { totals } = await importFiles(api, [file]);
    expect(totals['received']).toBe(1_200);
    expect(totals['recorded']! + totals['unchanged']!).toBe(1_200);
    await eachOnce(1_200);
    await system.settle();
    expect((await api.get(`/sync-runs/${run}`)).body).toMatchObject({
      status: 'failed',
      error: expect.stringContaining(digestOf(file.text)),
    });
  });

  test('with another digest or object than announced, or that was not announced, is refused before anything is read', async () => {
    const file = tasks(30);
    const run = await begin([file]);
    expectProblem(await sendPart(api, run, 1, tasks(31)), 422, 'digest-differs');
    expectProblem(await sendPart(api, run, 2, file), 422, 'invalid-content');
    expectProblem(await sendPart(api, run, 1, { ...file, object: 'Event' }), 422, 'invalid-content');
    for (const digest of ['nonsense', 'sha-256=:short:', 'md5=:abc:'])
      expectProblem(await sendPart(api, run, 1, file, { 'Content-Digest': digest }), 400, 'malformed-request', digest);
    await eachOnce(0);
    await api.ok(sendPart(api, run, 1, file));
    await api.ok(complete(run));
  });

  test('that was whole does not grow: more of it without a digest is refused, not half taken', async () => {
    const run = await begin();
    await api.ok(sendPart(api, run, 1, tasks(300), {}));
    const longer = await sendPart(api, run, 1, tasks(1_300), {});
    expectProblem(longer, 422, 'digest-differs');
    await eachOnce(300);
  });

  test('of the wrong type, for no object or for none that is known, is refused', async () => {
    const run = await begin();
    const send = (type: string | undefined, query: string) =>
      api.call('PUT', `/sync-runs/${run}/parts/1${query}`, undefined, {
        raw: new TextEncoder().encode('Id\n'),
        headers: type === undefined ? {} : { 'Content-Type': type },
      });
    for (const [type, query] of [
      [undefined, '?object=Task'],
      ['application/json', '?object=Task'],
      ['text/plain', '?object=Task'],
      ['text/csv', ''],
      ['text/csv', '?object=Spaceship'],
      ['text/csv', '?object=CampaignMember'],
      ['text/csv', '?object=task'],
      ['text/csv', '?object=Task&other=1'],
    ] as const)
      expectProblem(await send(type, query), 400, 'malformed-request', `${type} ${query}`);
    for (const part of ['0', '10001', 'one', '1.5'])
      expectProblem(
        await api.call('PUT', `/sync-runs/${run}/parts/${part}?object=Task`, undefined, {
          raw: 'Id\n',
          headers: { 'Content-Type': 'text/csv' },
        }),
        400,
        'malformed-request',
        part,
      );
    expectProblem(await sendPart(api, '00000000-0000-4000-8000-000000000000', 1, tasks(1)), 404, 'not-found');
  });

  test('that cannot be read is refused as a whole, and the run goes on with a better one', async () => {
    const run = await begin();
    for (const [text, why] of [
      ['', 'empty'],
      ['Name,Subject\nx,y\n', 'no id'],
      ['Id,Id\nx,y\n', 'a column twice'],
      [Buffer.from('\ufeffId,Subject\n', 'utf16le'), 'UTF-16'],
      [Buffer.from('PK\u0003\u0004rest'), 'a workbook'],
      [Buffer.from([0x1f, 0x8b, 8, 0]), 'gzip'],
    ] as const) {
      const answer = await sendPart(api, run, 1, { object: 'Task', text });
      expectProblem(answer, 422, 'unreadable-file', why);
    }
    await eachOnce(0);
    await api.ok(sendPart(api, run, 1, tasks(12)));
    expect((await api.ok(complete(run))).body.totals).toEqual({ ...nothing, received: 12, recorded: 12 });
  });

  // Of the service's own connections: a gateway closes one whose body it did not read to its end.
  test.skipIf(isBehindGateway())(
    'that is refused while it still arrives leaves its connection fit for the next request',
    async () => {
      const run = await begin();
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const send = (method: string, path: string, body?: Buffer) =>
        new Promise<{ status: number; port: number }>((resolve, reject) => {
          const headers = {
            Authorization: `Bearer ${api.token}`,
            ...(body ? { 'Content-Type': 'text/csv', 'Content-Length': body.length } : {}),
          };
          const sent = request(`${system.machine.url}/api/v1${path}`, { agent, method, headers }, (response) => {
            response
              .resume()
              .once('end', () =>
                resolve({ status: response.statusCode as number, port: sent.socket?.localPort as number }),
              );
          });
          sent.once('error', reject).end(body);
        });
      // Far more than the buffers of a connection hold.
      const refused = await send(
        'PUT',
        `/sync-runs/${run}/parts/1?object=Task`,
        Buffer.concat([Buffer.from('Name\n'), Buffer.alloc(16_000_000, 'x\n')]),
      );
      expect(refused.status).toBe(422);
      const next = await send('GET', `/sync-runs/${run}`);
      expect(next).toEqual({ status: 200, port: refused.port });
      agent.destroy();
    },
  );

  test('with records that are wrong in every way rejects these one by one, with line and reason, and takes the others', async () => {
    const good = csvOf(rowsOf(3)).split('\n');
    const lines = [
      good[0],
      good[1],
      '"","no id","2026-01-01T00:00:00Z"',
      `"${ids.account(1)}","of another object","2026-01-01T00:00:00Z"`,
      `"${ids.task(7)}","bad time","yesterday"`,
      `"${ids.task(8)}","one column too many","2026-01-01T00:00:00Z","x"`,
      `"${ids.task(9)}","not closed,"2026-01-01T00:00:00Z"`,
      good[2],
    ];
    const bytes = Buffer.concat([
      Buffer.from(`${lines.join('\n')}\n"${ids.task(10)}","bad `),
      Buffer.from([0xff, 0xfe]),
      Buffer.from(` utf-8","2026-01-01T00:00:00Z"\n${good[3]}\n`),
    ]);
    const { totals, run } = await importFiles(api, [{ object: 'Task', text: bytes }]);
    expect(totals).toMatchObject({ recorded: 3, rejected: 6, received: 9 });
    await system.settle();
    const { body } = await api.ok(api.get(`/sync-runs/${run}/rejects`));
    expect(body.data.map(({ line }: Json) => line)).toEqual([3, 4, 5, 6, 7, 9]);
    for (const { reason } of body.data) expect(reason).not.toContain('bad time');
  });
});

describe('a run', () => {
  test('announced with other content cancels the one before; the same content resumes it', async () => {
    const [one, other] = [tasks(10), tasks(10, 'Other')];
    const first = await api.ok(startRun(api, [one]), 201);
    expect((await api.ok(startRun(api, [one]), 200)).body).toMatchObject({ id: first.body.id, resumed: true });
    const second = await api.ok(startRun(api, [other]), 201);
    expect(second.body.id).not.toBe(first.body.id);
    expect(second.body.epoch).toBeGreaterThan(first.body.epoch);
    expectProblem(await sendPart(api, first.body.id, 1, one), 409, 'sync-run-ended');
    await system.settle();
    expect((await api.get(`/sync-runs/${first.body.id}`)).body.status).toBe('cancelled');
    // Another mode or mapping is other content.
    expect((await api.ok(startRun(api, [other], { mode: 'full' }), 201)).body.id).not.toBe(second.body.id);
  });

  test('begun ten times at once is one run that goes on, and no other is left running', async () => {
    const file = tasks(20);
    const answers = await Promise.all(Array.from({ length: 10 }, () => startRun(api, [file])));
    for (const { status, body } of answers)
      if (status !== 200 && status !== 201) expect([status, body.code]).toEqual([409, 'sync-run-busy']);
    const { run } = await importFiles(api, [file]);
    await eachOnce(20);
    await system.settle();
    const runs = (await api.get('/sync-runs?limit=200')).body.data;
    expect(runs.filter(({ status }: Json) => status === 'running')).toEqual([]);
    expect(runs.filter(({ status }: Json) => status === 'completed').map(({ id }: Json) => id)).toEqual([run]);
  });

  test('of several parts takes them in any order, counts each, and completes only with all of them', async () => {
    const files: ImportFile[] = [
      tasks(10),
      { object: 'Account', text: csvOf([{ Id: ids.account(1), Name: 'A' }]) },
      { object: null, text: ndjsonOf([{ id: 'x' }]) },
    ];
    const run = await begin(files);
    for (const part of [3, 1]) await api.ok(sendPart(api, run, part, files[part - 1]!));
    expectProblem(await complete(run), 409, 'sync-run-incomplete');
    await api.ok(sendPart(api, run, 2, files[1]!));
    expect((await api.ok(complete(run))).body.totals).toEqual({ ...nothing, received: 12, recorded: 12 });
    expect(announcement(files).map(({ part }) => part)).toEqual([1, 2, 3]);
  });

  test('cancelled while a part arrives ends that part, and the next run takes all of it', async () => {
    const file = tasks(4_000);
    const run = await begin([file]);
    const sending = sendPart(api, run, 1, file);
    await expect
      .poll(async () => (await api.get(`/sync-runs/${run}`)).body.batches, { timeout: 10_000 })
      .toBeGreaterThan(0);
    const cancelled = await api.post(`/sync-runs/${run}/cancel`, { reason: 'changed my mind' });
    const sent = await sending;
    if (cancelled.status === 200 && sent.status !== 200) expectProblem(sent, 409, 'sync-run-ended');
    expect([200, 409]).toContain(cancelled.status);
    const { totals } = await importFiles(api, [file]);
    expect(totals['recorded']! + totals['unchanged']!).toBe(4_000);
    await eachOnce(4_000);
  });
});

test('nothing of all this was an error of ours', () => {
  expect(system.errors.filter((line) => line.err)).toEqual([]);
});
