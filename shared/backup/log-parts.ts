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

/** What a part comes after. */
interface Before {
  readonly id: string;
  /** Before the first event of the log. */
  readonly start: Position;
  readonly parts: number;
  /** Of these the last; undefined where there is none. */
  readonly last: LogPart | undefined;
}

export const beforePart = ({ id, start, parts }: BackedUpLog, index: number): Before => ({
  id,
  start,
  parts: index,
  last: parts[index - 1],
});
const afterAll = (log: BackedUpLog): Before => beforePart(log, log.parts.length);

const headerAfter = ({ id, parts, last }: Before): PartHeader => ({
  log: id,
  part: parts + 1,
  previous: last?.digest ?? null,
});

export const lineOf = ({ position, stream, revision, id, type, data, metadata }: RecordedEvent): string =>
  JSON.stringify({ position, stream, revision, id, type, data, metadata });

/** What is known of a part by reading it. Throws BackupRefused where its events cannot follow those before it. */
function factsOf(file: BackupFile, events: readonly RecordedEvent[], before: Before): LogPart {
  const refuse = (what: string) => {
    throw new BackupRefused(`${file.name}: ${what}. Use another copy of the backup.`);
  };
  let last = before.last?.last ?? before.start;
  let time = before.last?.time ?? '';
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

/** Puts a part to the end of what is held; the list of parts is changed in place, for it may be long. */
function put(log: BackedUpLog, part: LogPart, events: readonly RecordedEvent[]): BackedUpLog {
  log.parts.push(part);
  return {
    ...log,
    position: part.last > log.position ? part.last : log.position,
    events: log.events + part.events,
    lastEvent: events.at(-1)?.id ?? log.lastEvent,
  };
}

/** Adds events to the end of what a backup holds; `lines` are theirs. */
export async function addPart(
  store: BackupStore,
  log: BackedUpLog,
  events: readonly RecordedEvent[],
  lines: readonly string[],
): Promise<BackedUpLog> {
  const before = afterAll(log);
  const header = headerAfter(before);
  const file = await writePart(store, 'log/part', header.part, [JSON.stringify(header), ...lines]);
  return put(log, factsOf(file, events, before), events);
}

export interface ReadPart {
  readonly part: LogPart;
  readonly events: readonly RecordedEvent[];
  /** Of the events, as they stand there. */
  readonly lines: readonly string[];
}

/** Throws BackupRefused where it is not as it was written, or does not follow what is before. */
export async function readPart(store: BackupStore, file: BackupFile, before: Before): Promise<ReadPart> {
  const [first, ...lines] = await readLines(store, file);
  if (first !== JSON.stringify(headerAfter(before)))
    throw new BackupRefused(`${file.name} does not follow the part before it. Use another copy of the backup.`);
  const events = lines.map((line) => JSON.parse(line) as RecordedEvent);
  return { part: factsOf(file, events, before), events, lines };
}

/** The same, put to the end of what was read before. */
export async function readNext(
  store: BackupStore,
  file: BackupFile,
  log: BackedUpLog,
): Promise<[BackedUpLog, ReadPart]> {
  const read = await readPart(store, file, afterAll(log));
  return [put(log, read.part, read.events), read];
}

const partName = /^log\/part-\d{8}-([0-9a-f]{64})\.ndjson\.gz$/;

/** The last part that a place holds, with its events: it is begun anew while there is room in it. */
export interface OpenEnd {
  /** Without that part. */
  readonly before: BackedUpLog;
  readonly events: readonly RecordedEvent[];
  readonly lines: readonly string[];
}

/**
 * What the place holds from the last part of a backup on: that part, or one that a backup which was cut has put in its
 * place, and those that follow. One that does not follow, or is not what its name says, is left aside. Of several the one
 * with most events counts: they begin alike.
 */
export async function adoptParts(
  store: BackupStore,
  files: readonly StoredFile[],
  complete: BackedUpLog,
  signal: AbortSignal,
): Promise<{ readonly log: BackedUpLog; readonly end: OpenEnd | null }> {
  const last = complete.parts.at(-1);
  let log: BackedUpLog = last
    ? {
        ...complete,
        position: complete.start,
        events: complete.events - last.events,
        parts: complete.parts.slice(0, -1),
      }
    : { ...complete };
  let end: { readonly before: BackedUpLog; readonly parts: number; readonly read: ReadPart } | null = null;
  for (;;) {
    const before = log;
    const prefix = `log/part-${`${before.parts.length + 1}`.padStart(8, '0')}-`;
    let most: ReadPart | null = null;
    for (const { name, bytes } of files.filter((file) => file.name.startsWith(prefix))) {
      signal.throwIfAborted();
      // What came before it, where the store keeps everything.
      if (before.parts.length + 1 === complete.parts.length && last && name !== last.name && bytes < last.bytes)
        continue;
      const hex = partName.exec(name)?.[1];
      if (hex === undefined) continue;
      const file = { name, bytes, digest: `sha-256:${hex}` };
      const read = await readPart(store, file, afterAll(before)).catch((error: unknown) => {
        if (error instanceof BackupRefused) return null;
        throw error;
      });
      if (read !== null && hexOf(read.part.digest) === hex && read.events.length > (most?.events.length ?? 0))
        most = read;
    }
    if (most === null) break;
    end = { before, parts: before.parts.length, read: most };
    log = put(before, most.part, most.events);
  }
  if (last && log.events < complete.events)
    throw new BackupRefused(
      `${last.name} is not as it was written, so the backup in ${store.place} cannot be gone on with. Choose an empty place.`,
    );
  return {
    log: { ...log, position: log.position > complete.position ? log.position : complete.position },
    end: end && {
      before: { ...end.before, parts: log.parts.slice(0, end.parts) },
      events: end.read.events,
      lines: end.read.lines,
    },
  };
}

/** Where the events of a backup end. */
export const endOf = (log: BackedUpLog): Position => log.parts.at(-1)?.last ?? log.start;
