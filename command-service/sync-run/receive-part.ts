/**
 * Receives one part of a sync run: a stream of bytes, read record by record, applied batch by batch. Batch n of a part
 * is always its records [n·k, (n+1)·k), so a part that is sent again goes on where it was cut: batches that the run's
 * stream tells of are skipped. The last batch waits until the whole content has arrived and its digest is right.
 *
 * Memory is bounded by two batches. A reader that is faster than the projector is slowed, so that interactive
 * commands stay visible soon.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import type { Command } from '#command-service/command.ts';
import { eventMetadata } from '#command-service/event-metadata.ts';
import { recordOrigin } from '#command-service/request-origins.ts';
import { type AppliedBatch, applyBatch } from '#command-service/sync-run/apply-batch.ts';
import { type SyncRunState, syncRunEvolution } from '#command-service/sync-run/decider.ts';
import { holdLease, leaseSeconds, readLease, releaseLease } from '#command-service/sync-run/lease.ts';
import { syncMetrics } from '#command-service/sync-run/metrics.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';
import type { Position } from '#shared/event-log/position.ts';
import { decodeEvent, encodeEvent } from '#shared/events/codec.ts';
import type { EventData } from '#shared/events/event.ts';
import { commandEventId, streamName } from '#shared/events/stream-name.ts';
import { orThrow, ProblemError, refuse } from '#shared/http/problem.ts';
import type { ReadModel } from '#shared/read-model/read-model.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { mappingSchema } from '#shared/source-records/mapping.ts';
import { readRecords } from '#shared/source-records/read-records.ts';
import type { SourceRecord } from '#shared/source-records/source-record.ts';
import { UnreadableFile } from '#shared/source-records/unreadable-file.ts';
import { inSpan } from '#shared/telemetry/span.ts';

export interface PartRequest {
  readonly run: string;
  readonly part: number;
  /** Of a CSV; null for NDJSON, whose records say it themselves. */
  readonly object: string | null;
  readonly format: 'csv' | 'ndjson';
  /** `sha-256:<hexadecimal>` of the content, where the caller announced it. */
  readonly digest: string | null;
  readonly body: AsyncIterable<Uint8Array>;
  /** Ends the body with an error: its sender has been silent for too long. */
  readonly abandon: (reason: Error) => void;
}

export interface ReceiveParts {
  readonly pool: Pool;
  readonly log: EventLog;
  readonly readModel: ReadModel;
  readonly runtime: Runtime;
}

export interface ReceivedPart {
  readonly state: SyncRunState;
  readonly revision: number;
  readonly position: Position;
}

/** The projector may be so many batches behind before the reader waits for it, at most so long. */
const batchesAhead = 20;
const longestWaitMilliseconds = 10_000;
/** A sender that is silent for so long is given up: it must not hold its source for ever. */
const longestSilenceMilliseconds = 60_000;

interface Run extends ReceivedPart {
  readonly started: EventData<'SyncStarted'>;
}

async function loadRun(log: EventLog, tenant: string, run: string): Promise<Run> {
  let state = syncRunEvolution.initial;
  let revision = -1;
  let position = log.start;
  for await (const event of log.readStream(tenant, streamName.syncRun(run))) {
    state = syncRunEvolution.evolve(state, decodeEvent(event));
    ({ revision, position } = event);
  }
  if (!state.started)
    throw new ProblemError(refuse('not-found', 'There is no such sync run. Start one with POST /api/v1/sync-runs.'));
  return { state, revision, position, started: state.started };
}

/** Answers the digest that the content must have: what the request says, else what was announced; null: any. */
function checkPart(run: Run, request: PartRequest): string | null {
  const { state, started } = run;
  if (state.status !== 'running')
    throw new ProblemError(refuse('sync-run-ended', `The sync run is ${state.status}. Start another one.`));
  const announced = started.parts.find(({ part }) => part === request.part);
  if (started.parts.length > 0 && !announced)
    throw new ProblemError(refuse('invalid-content', `Part ${request.part} was not announced when the run began.`));
  const expected = announced?.digest ?? state.parts.get(request.part)?.digest ?? null;
  if (expected !== null && request.digest !== null && expected !== request.digest)
    throw new ProblemError(
      refuse(
        'digest-differs',
        `Part ${request.part} was announced with ${expected}. Send that content, or start another run.`,
      ),
    );
  if (announced && announced.object !== request.object)
    throw new ProblemError(
      refuse('invalid-content', `Part ${request.part} was announced as ${announced.object ?? 'NDJSON'}.`),
    );
  return request.digest ?? expected;
}

export async function receivePart(parts: ReceiveParts, command: Command, asked: PartRequest): Promise<ReceivedPart> {
  const { pool, log, runtime } = parts;
  const { tenant } = command;
  const run = await loadRun(log, tenant, asked.run);
  const request: PartRequest = { ...asked, digest: checkPart(run, asked) };
  const { source } = run.started;
  const holder = randomUUID();
  const hold = async () => {
    if (!(await holdLease(pool, tenant, source, request.run, holder)))
      throw new ProblemError(
        refuse(
          'sync-run-busy',
          'Another process receives a part of this run, or another run of this source was begun. Send it again in a moment.',
          { retryAfter: 2 },
        ),
      );
  };
  await hold();
  syncMetrics.partsUnderWay.inc();
  const silence: Silence = { since: null };
  const done = new AbortController();
  let lost: Error | null = null;
  const renewing = (async () => {
    while (!done.signal.aborted) {
      await runtime.sleep((leaseSeconds * 1000) / 3, done.signal);
      if (silence.since !== null && runtime.now().getTime() - silence.since > longestSilenceMilliseconds)
        asked.abandon(
          new ProblemError(
            refuse(
              'malformed-request',
              'Nothing arrived for a minute. Send the part again; it goes on where it was cut.',
            ),
          ),
        );
      else if (!done.signal.aborted)
        await hold().catch((error: Error) => {
          // A database that is away for a moment is no reason: whoever takes the lease meanwhile is met by the refusal.
          if (error instanceof ProblemError) lost = error;
        });
    }
  })();
  try {
    await recordOrigin(pool, command);
    return await receive(parts, command, request, run, silence, () => {
      if (lost) throw lost;
    });
  } catch (error) {
    if (error instanceof UnreadableFile) throw new ProblemError(refuse('unreadable-file', error.message));
    throw error;
  } finally {
    syncMetrics.partsUnderWay.dec();
    done.abort();
    await renewing;
    await releaseLease(pool, tenant, source, request.run, holder).catch(() => undefined);
  }
}

async function receive(
  parts: ReceiveParts,
  command: Command,
  request: PartRequest,
  run: Run,
  silence: Silence,
  check: () => void,
): Promise<ReceivedPart> {
  const { pool, log, readModel } = parts;
  const { tenant } = command;
  const { batchSize, source, epoch, mapping } = run.started;
  const watermark = (await readLease(pool, tenant, source))?.watermark ?? null;
  const hash = createHash('sha256');
  let current: ReceivedPart = run;
  const ahead: Position[] = [];
  // A source of which no run was completed is probably met for the first time.
  let expectNew = watermark === null;

  /** `whole`: the digest of the whole part, with its last batch. */
  const apply = async (records: readonly SourceRecord[], batch: number, whole: string | null): Promise<void> => {
    check();
    const known = current.state.parts.get(request.part);
    if (known && batch < known.batches) return;
    // Its last batch may have been a short one: going on behind it would leave a gap that nobody sees.
    if (known?.whole)
      throw new ProblemError(
        refuse('digest-differs', `Part ${request.part} was whole before, and is longer now. Start another run.`),
      );
    const place = { run: request.run, epoch, part: request.part, batch };
    const batchEnded = syncMetrics.batchSeconds.startTimer();
    const applied = await inSpan(
      'sync batch',
      { 'sync.part': request.part, 'sync.batch': batch, 'sync.records': records.length },
      () =>
        applyBatch(log, records, {
          tenant,
          source,
          watermark,
          expectNew,
          place,
          command,
          now: parts.runtime.now(),
        }),
    );
    batchEnded();
    expectNew = applied.mostlyNew;
    current = await tellBatch(parts, command, request, current, batch, whole, applied);
    if (applied.position !== null) ahead.push(applied.position);
    const behind = ahead.length > batchesAhead ? ahead.shift() : undefined;
    if (behind === undefined) return;
    const waitedFrom = parts.runtime.now().getTime();
    await readModel
      .waitFor('catalog', tenant, { minPosition: behind, waitMilliseconds: longestWaitMilliseconds })
      .catch((error: unknown) => {
        // A projector that stands still slows an import, it does not stop it.
        if (!(error instanceof ProblemError)) throw error;
      });
    syncMetrics.waitSeconds.inc(Math.max(0, parts.runtime.now().getTime() - waitedFrom) / 1000);
  };

  let batch: SourceRecord[] = [];
  let number = 0;
  const records = readRecords(heard(request.body, hash, silence, parts.runtime), {
    format: request.format,
    ...(request.object === null ? {} : { object: request.object }),
    mapping: mappingSchema.parse(mapping),
  });
  for await (const record of records) {
    // Only with a record of the next batch in hand it is known that this one is not the last.
    if (batch.length === batchSize) {
      await apply(batch, number++, null);
      batch = [];
    }
    batch.push(record);
  }
  const digest = `sha-256:${hash.digest('hex')}`;
  if (request.digest !== null && digest !== request.digest) {
    // Batches of it are applied already: the run cannot be trusted, and a new one repeats all of it.
    await failRun(
      parts,
      command,
      request,
      current,
      `part ${request.part} arrived with ${digest}, announced was ${request.digest}`,
    );
    throw new ProblemError(
      refuse(
        'digest-differs',
        `What arrived has ${digest}, announced was ${request.digest}. Start another run and send it again.`,
      ),
    );
  }
  const before = current.state.parts.get(request.part);
  if (before?.whole && before.digest !== null && before.digest !== digest)
    throw new ProblemError(
      refuse(
        'digest-differs',
        `Part ${request.part} was received with ${before.digest}, this is ${digest}. Start another run for other content.`,
      ),
    );
  await apply(batch, number, digest);
  return current;
}

/** Since when the next bytes have been waited for, in milliseconds of the epoch; null while none are wanted. */
interface Silence {
  since: number | null;
}

async function* heard(
  body: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
  silence: Silence,
  runtime: Runtime,
): AsyncGenerator<Uint8Array> {
  silence.since = runtime.now().getTime();
  for await (const chunk of body) {
    silence.since = null;
    hash.update(chunk);
    yield chunk;
    silence.since = runtime.now().getTime();
  }
  silence.since = null;
}

async function failRun(
  parts: ReceiveParts,
  command: Command,
  request: PartRequest,
  current: ReceivedPart,
  error: string,
): Promise<void> {
  const event = encodeEvent({ type: 'SyncFailed', data: { totals: current.state.totals, error, resumeAt: null } });
  const metadata = eventMetadata(command, command.tenant, 'SyncFailed', parts.runtime.now());
  const id = commandEventId(request.run, 'failed', 0);
  await parts.log.append([
    { stream: streamName.syncRun(request.run), expected: current.revision, events: [{ id, ...event, metadata }] },
  ]);
  syncMetrics.runs.inc({ outcome: 'failed' });
}

/** Bytes of all ids and reasons in one event; it may have 512 KiB. */
const rejectBytes = 300_000;

/** The rejects, their texts cut where all together would be too large for one event. */
function fitting(rejects: AppliedBatch['rejects']): { line: number; sourceId: string | null; reason: string }[] {
  const most = Math.floor(rejectBytes / Math.max(1, rejects.length) / 2);
  const cut = (text: string) => {
    let short = text.toWellFormed();
    while (Buffer.byteLength(JSON.stringify(short)) > most)
      short = `${short.slice(0, Math.floor(short.length * 0.8) - 1)}…`.toWellFormed();
    return short;
  };
  return rejects.map(({ line, sourceId, reason }) => ({
    line,
    sourceId: sourceId === null ? null : cut(sourceId),
    reason: cut(reason),
  }));
}

/** Appends SyncBatchApplied. A conflict: somebody cancelled the run, or sent this batch too. */
async function tellBatch(
  parts: ReceiveParts,
  command: Command,
  request: PartRequest,
  current: ReceivedPart,
  batch: number,
  whole: string | null,
  applied: AppliedBatch,
): Promise<ReceivedPart> {
  const event = encodeEvent({
    type: 'SyncBatchApplied',
    data: {
      part: request.part,
      object: request.object,
      digest: whole ?? request.digest,
      batch,
      last: whole !== null,
      ...applied.counts,
      latestStamp: applied.latestStamp,
      rejects: fitting(applied.rejects),
    },
  });
  const stream = streamName.syncRun(request.run);
  const metadata = eventMetadata(command, command.tenant, 'SyncBatchApplied', parts.runtime.now());
  const id = commandEventId(request.run, `${request.part}`, batch);
  const [result] = await parts.log.append([
    { stream, expected: current.revision, events: [{ id, ...event, metadata }] },
  ]);
  if (result?.outcome === 'appended' && result.position !== null) {
    const { received: _all, ...outcomes } = applied.counts;
    for (const [outcome, count] of Object.entries(outcomes)) syncMetrics.records.inc({ outcome }, count);
    const state = syncRunEvolution.evolve(current.state, {
      id,
      ...event,
      metadata,
      stream,
      revision: result.revision,
      position: result.position,
    });
    return { state, revision: result.revision, position: result.position };
  }
  if (result?.outcome === 'too-large')
    throw new Error(`the account of batch ${request.part}/${batch} takes ${result.bytes} bytes`);
  const now = await loadRun(parts.log, command.tenant, request.run);
  if (now.state.status !== 'running')
    orThrow(refuse('sync-run-ended', `The sync run is ${now.state.status}. Start another one.`));
  if ((now.state.parts.get(request.part)?.batches ?? 0) > batch) return now;
  return tellBatch(parts, command, request, now, batch, whole, applied);
}
