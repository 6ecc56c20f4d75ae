/**
 * One sync run from announcement to totals. The parts are announced by their digests, so a run that was cut is
 * found again and goes on: parts that are whole are not sent, and of the others the service skips what it has.
 */
import { createHash, randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { z } from 'zod';
import { ApiProblem, CliError } from '#cli/cli-error.ts';
import type { Client } from '#cli/client.ts';
import { keepTrying } from '#cli/retry.ts';
import type { manifestPart, SyncCounts } from '#shared/events/sync-run.ts';
import type { Mapping } from '#shared/source-records/mapping.ts';

export interface ImportPart {
  /** The file, in messages. */
  readonly label: string;
  /** Of a CSV; null for NDJSON, whose lines say it themselves. */
  readonly object: string | null;
  readonly format: 'csv' | 'ndjson';
  /** The content from its beginning; each time the same. */
  readonly bytes: () => AsyncIterable<Uint8Array>;
}

export type ImportEvent =
  | {
      readonly event: 'started';
      readonly run: string;
      readonly resumed: boolean;
      readonly parts: number;
      readonly partsWhole: number;
    }
  | {
      readonly event: 'progress';
      readonly phase: 'reading' | 'sending';
      readonly file: string;
      readonly bytes: number;
      readonly totalBytes: number | null;
    }
  | { readonly event: 'waiting'; readonly reason: string; readonly seconds: number };

export interface ImportRequest {
  readonly client: Client;
  readonly source: string;
  readonly mode: 'partial' | 'full' | 'incremental';
  readonly mapping: Mapping;
  readonly parts: readonly ImportPart[];
  readonly tell?: ((event: ImportEvent) => void) | undefined;
}

export interface ImportOutcome {
  readonly run: string;
  readonly resumed: boolean;
  readonly totals: SyncCounts;
  /** Where the end of the run stands: demand it of queries that must reflect the import. */
  readonly position: string | null;
  /** Whether the listing reflects the import already. */
  readonly visible: boolean;
}

interface RunAnswer {
  readonly id: string;
  readonly status: string;
  readonly resumed: boolean;
  readonly parts: readonly { readonly part: number; readonly whole: boolean }[];
  readonly totals: SyncCounts;
}

interface AnnouncedPart extends ImportPart {
  readonly manifest: z.infer<typeof manifestPart>;
  readonly size: number;
}

/** Seconds of waiting for a service that is busy or away before it is given up. */
const patience = 60;
const visibleSeconds = 30;

export async function runImport({
  client,
  source,
  mode,
  mapping,
  parts,
  tell = () => undefined,
}: ImportRequest): Promise<ImportOutcome> {
  const announced = await announce(parts, tell, client.signal);
  const waiting = {
    seconds: patience,
    signal: client.signal,
    onWait: (reason: string, seconds: number) => tell({ event: 'waiting', reason, seconds }),
  };
  const body = { source, channel: 'file', mode, mapping, parts: announced.map(({ manifest }) => manifest) };
  const idempotencyKey = randomUUID();
  const started = await keepTrying(
    () => client.call<RunAnswer>('/api/v1/sync-runs', { method: 'POST', body, idempotencyKey }),
    {
      ...waiting,
      connection: false,
    },
  );
  const { id, resumed } = started.body;
  const whole = new Set(started.body.parts.filter((part) => part.whole).map(({ part }) => part));
  tell({ event: 'started', run: id, resumed, parts: announced.length, partsWhole: whole.size });

  const totalBytes = announced.reduce((sum, part) => sum + part.size, 0);
  let before = announced.reduce((sum, part) => (whole.has(part.manifest.part) ? sum + part.size : sum), 0);
  for (const part of announced) {
    if (whole.has(part.manifest.part)) continue;
    const send = () =>
      sendPart(client, id, part, (sent) =>
        tell({ event: 'progress', phase: 'sending', file: part.label, bytes: before + sent, totalBytes }),
      );
    await keepTrying(send, { ...waiting, connection: true });
    before += part.size;
  }

  const completed = await keepTrying(
    () => client.call<RunAnswer>(`/api/v1/sync-runs/${id}/complete`, { method: 'POST', body: {} }),
    {
      ...waiting,
      connection: true,
    },
  );
  const { position } = completed;
  return { run: id, resumed, totals: completed.body.totals, position, visible: await isVisible(client, position) };
}

/** Reads every part once, for its digest and its size. */
async function announce(
  parts: readonly ImportPart[],
  tell: (event: ImportEvent) => void,
  signal: AbortSignal | undefined,
): Promise<AnnouncedPart[]> {
  const announced: AnnouncedPart[] = [];
  let read = 0;
  for (const part of parts) {
    const hash = createHash('sha256');
    const begin = read;
    for await (const chunk of part.bytes()) {
      signal?.throwIfAborted();
      hash.update(chunk);
      read += chunk.length;
      tell({ event: 'progress', phase: 'reading', file: part.label, bytes: read, totalBytes: null });
    }
    const manifest = { part: announced.length + 1, object: part.object, digest: `sha-256:${hash.digest('hex')}` };
    announced.push({ ...part, manifest, size: read - begin });
  }
  return announced;
}

async function sendPart(
  client: Client,
  run: string,
  part: AnnouncedPart,
  onSent: (bytes: number) => void,
): Promise<void> {
  const { manifest, object, format, label } = part;
  async function* counted(): AsyncGenerator<Uint8Array> {
    let sent = 0;
    for await (const chunk of part.bytes()) {
      yield chunk;
      sent += chunk.length;
      onSent(sent);
    }
  }
  try {
    await client.upload<RunAnswer>(`/api/v1/sync-runs/${run}/parts/${manifest.part}`, {
      query: new URLSearchParams(object === null ? {} : { object }),
      headers: {
        'Content-Type': format === 'csv' ? 'text/csv' : 'application/x-ndjson',
        'Content-Digest': `sha-256=:${Buffer.from(manifest.digest.slice('sha-256:'.length), 'hex').toString('base64')}:`,
      },
      body: counted(),
    });
  } catch (error) {
    if (!(error instanceof ApiProblem)) throw error;
    if (error.problem.code === 'digest-differs')
      throw new CliError(
        `${label} changed while it was being sent, so its sync run was given up. Run the same command again.\n  Request id ${error.problem.requestId}`,
      );
    // The file the problem is about; what may be tried again stays what it is.
    if (error.problem.code === 'unreadable-file') throw new CliError(`${label}: ${error.message}`);
    throw error;
  }
}

/** Waits until the listing reflects the position. That it does not, or may not be asked, fails no import. */
async function isVisible(client: Client, minPosition: string | null): Promise<boolean> {
  try {
    await client.call('/api/v1/activities', {
      query: new URLSearchParams({ limit: '1' }),
      minPosition,
      waitSeconds: visibleSeconds,
    });
    return true;
  } catch (error) {
    if (error instanceof CliError) return false;
    throw error;
  }
}

/** Text that is made as it is read, as bytes; others get their turn between. */
export async function* encoded(text: Iterable<string>): AsyncGenerator<Uint8Array> {
  for (const piece of text) {
    yield Buffer.from(piece, 'utf8');
    await setImmediate();
  }
}
