/**
 * The event log in a backup: parts in log order. The first line of a part says what it follows: the log, the part
 * before with its digest. So parts form a chain, and one of another backup, or out of its place, is noticed.
 */
import { hexOf } from '#shared/backup/digest.ts';
import type { BackupFile, LogPart, Manifest } from '#shared/backup/manifest.ts';
import { readLines, writePart } from '#shared/backup/parts.ts';
import { BackupRefused } from '#shared/backup/refused.ts';
import type { BackupStore, StoredFile } from '#shared/backup/store.ts';
import type { RecordedEvent } from '#shared/event-log/event-log.ts';
import type { Position } from '#shared/event-log/position.ts';

/** What a backup holds of a log. */
export type BackedUpLog = Manifest['log'];

interface PartHeader {
  readonly log: string;
  readonly part: number;
  /** The digest of the part before; null for the first. */
  readonly previous: string | null;
}

const lastPart = ({ parts }: BackedUpLog): LogPart | undefined => parts.at(-1);

const headerAfter = (log: BackedUpLog): PartHeader => ({
  log: log.id,
  part: log.parts.length + 1,
  previous: lastPart(log)?.digest ?? null,
});

export const lineOf = ({ position, stream, revision, id, type, data, metadata }: RecordedEvent): string =>
  JSON.stringify({ position, stream, revision, id, type, data, metadata });

/** What is known of a part by reading it. Throws BackupRefused where its events cannot follow those before it. */
function factsOf(file: BackupFile, events: readonly RecordedEvent[], before: BackedUpLog): LogPart {
  const refuse = (what: string) => {
    throw new BackupRefused(`${file.name}: ${what}. Use another copy of the backup.`);
  };
  let last = lastPart(before)?.last ?? before.start;
  let time = lastPart(before)?.time ?? '';
  for (const { position, metadata } of events) {
    if (position <= last || position.length !== last.length || !position.startsWith(before.id))
      refuse(`its events are not in the order of the log (${position} after ${last})`);
    last = position;
    if (metadata.recordedAt > time) time = metadata.recordedAt;
  }
  const [first] = events;
  if (first === undefined) throw new BackupRefused(`${file.name}: it has no events. Use another copy of the backup.`);
  return { ...file, events: events.length, first: first.position, last, time };
}

const withPart = (log: BackedUpLog, part: LogPart, events: readonly RecordedEvent[]): BackedUpLog => ({
  ...log,
  position: part.last > log.position ? part.last : log.position,
  events: log.events + part.events,
  lastEvent: events.at(-1)?.id ?? log.lastEvent,
  parts: [...log.parts, part],
});

/** Adds events to the end of what a backup holds; `lines` are theirs. */
export async function addPart(
  store: BackupStore,
  before: BackedUpLog,
  events: readonly RecordedEvent[],
  lines: readonly string[],
): Promise<BackedUpLog> {
  const header = headerAfter(before);
  const file = await writePart(store, 'log/part', header.part, [JSON.stringify(header), ...lines]);
  return withPart(before, factsOf(file, events, before), events);
}

interface ReadPart {
  readonly part: LogPart;
  readonly events: readonly RecordedEvent[];
  /** With this part. */
  readonly log: BackedUpLog;
}

/** Throws BackupRefused where it is not as it was written, or does not follow what is before. */
export async function readPart(store: BackupStore, file: BackupFile, before: BackedUpLog): Promise<ReadPart> {
  const [first, ...lines] = await readLines(store, file);
  if (first !== JSON.stringify(headerAfter(before)))
    throw new BackupRefused(`${file.name} does not follow the part before it. Use another copy of the backup.`);
  const events = lines.map((line) => JSON.parse(line) as RecordedEvent);
  const part = factsOf(file, events, before);
  return { part, events, log: withPart(before, part, events) };
}

const partName = /^log\/part-\d{8}-([0-9a-f]{64})\.ndjson\.gz$/;

/**
 * Parts that a backup which was cut has left: those that follow what there is, one after another. One that does not,
 * or is not what its name says, is left aside.
 */
export async function adoptParts(
  store: BackupStore,
  files: readonly StoredFile[],
  before: BackedUpLog,
  signal: AbortSignal,
): Promise<BackedUpLog> {
  let log = before;
  for (let found = true; found; ) {
    found = false;
    const prefix = `log/part-${`${log.parts.length + 1}`.padStart(8, '0')}-`;
    for (const { name, bytes } of files.filter((file) => file.name.startsWith(prefix))) {
      signal.throwIfAborted();
      const hex = partName.exec(name)?.[1];
      if (hex === undefined) continue;
      const read = await readPart(store, { name, bytes, digest: `sha-256:${hex}` }, log).catch((error: unknown) => {
        if (error instanceof BackupRefused) return null;
        throw error;
      });
      if (read === null || hexOf(read.part.digest) !== hex) continue;
      ({ log } = read);
      found = true;
      break;
    }
  }
  return log;
}

/** Where the events of a backup end. */
export const endOf = (log: BackedUpLog): Position => lastPart(log)?.last ?? log.start;
