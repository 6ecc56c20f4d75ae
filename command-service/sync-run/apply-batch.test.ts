import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Command } from '#command-service/command.ts';
import { applyBatch, type BatchContext } from '#command-service/sync-run/apply-batch.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';
import { memoryEventLog } from '#shared/event-log/memory-event-log.ts';
import type { SourceRecord } from '#shared/source-records/source-record.ts';

const now = new Date('2026-11-01T10:00:00.000Z');
const run = '00000000-0000-4000-8000-000000000001';
const command: Command = {
  tenant: 'acme',
  actor: 'importer',
  id: '00000000-0000-4000-8000-000000000002',
  requestHash: 'none',
  correlationId: '00000000-0000-4000-8000-000000000003',
  now,
  ifMatch: null,
  origin: { actorName: null, clientAddress: null, userAgent: null },
};
const context = (batch: number, expectNew: boolean): BatchContext => ({
  tenant: 'acme',
  source: 'salesforce',
  watermark: null,
  expectNew,
  place: { run, epoch: 1, part: 1, batch },
  command,
  now,
});

interface Given {
  readonly id: number;
  readonly day: number;
  readonly deleted: boolean;
  readonly subject: string;
}
const record = ({ id, day, deleted, subject }: Given, line: number): SourceRecord => ({
  noun: 'activity',
  sourceId: `00T00000000000${id}AAA`,
  sourceModifiedAt: `2026-03-0${day}T00:00:00.000Z`,
  deleted,
  object: 'Task',
  facts: { status: 'Open', subtype: 'Call' },
  subject,
  names: {},
  extra: {},
  line,
});

/** What a log holds, but for the salts and what follows from them. */
async function content(log: EventLog) {
  const { events } = await log.readAll(log.start, 10_000);
  return events
    .map(({ id, type, stream, revision, data }) => {
      const { personal, contentHash, ...rest } = data as Record<string, { salt: string; subject?: string }>;
      return {
        id,
        type,
        stream,
        revision,
        subject: personal?.subject ?? null,
        hashed: contentHash !== undefined,
        rest,
      };
    })
    .sort((a, b) => (a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : a.revision - b.revision));
}

/** The log, telling in which order it was asked. */
function listened(log: EventLog): { readonly log: EventLog; readonly calls: string[] } {
  const calls: string[] = [];
  return {
    calls,
    log: {
      ...log,
      append: (appends) => {
        calls.push(`append ${appends.length}`);
        return log.append(appends);
      },
      readLast: (tenant, streams) => {
        calls.push(`read ${streams.length}`);
        return log.readLast(tenant, streams);
      },
    },
  };
}

const one = (id: number, more: Partial<Given> = {}): Given => ({
  id,
  day: 1,
  deleted: false,
  subject: 'Call',
  ...more,
});

describe('a batch that is expected to be new', () => {
  test('is appended before anything is read', async () => {
    const { log, calls } = listened(memoryEventLog());
    const applied = await applyBatch(log, [one(1), one(2), one(3)].map(record), context(0, true));
    expect(calls).toEqual(['append 3']);
    expect(applied).toMatchObject({ counts: { recorded: 3 }, mostlyNew: true });
  });

  test('reads only what was known already, and tells that the guess was wrong', async () => {
    const { log, calls } = listened(memoryEventLog());
    await applyBatch(log, [one(1), one(2)].map(record), context(0, true));
    calls.length = 0;
    const again = [one(1), one(2, { subject: 'Other', day: 2 }), one(3)];
    const applied = await applyBatch(log, again.map(record), context(1, true));
    expect(calls).toEqual(['append 3', 'read 2', 'append 1']);
    expect(applied).toMatchObject({ counts: { recorded: 1, revised: 1, unchanged: 1 }, mostlyNew: false });
  });

  test('repeated after a crash counts as the first time and adds nothing', async () => {
    const log = memoryEventLog();
    const records = [one(1), one(2)].map(record);
    const first = await applyBatch(log, records, context(0, true));
    const head = await log.head();
    expect(await applyBatch(log, records, context(0, true))).toEqual(first);
    expect(await applyBatch(log, records, context(0, false))).toMatchObject({ counts: first.counts });
    expect(await log.head()).toBe(head);
  });

  test('comes to the same as one that reads first, whatever was there before', async () => {
    const given = fc.record<Given>({
      id: fc.integer({ min: 1, max: 5 }),
      day: fc.integer({ min: 1, max: 4 }),
      deleted: fc.boolean(),
      subject: fc.constantFrom('Call', 'Mail'),
    });
    const batches = fc.array(fc.array(given, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(batches, async (some) => {
        const [guessing, reading] = [memoryEventLog(), memoryEventLog()];
        for (const [index, batch] of some.entries()) {
          const records = batch.map(record);
          const guessed = await applyBatch(guessing, records, context(index, true));
          const read = await applyBatch(reading, records, context(index, false));
          expect(guessed.counts).toEqual(read.counts);
        }
        expect(await content(guessing)).toEqual(await content(reading));
      }),
      { numRuns: 300 },
    );
  });
});
