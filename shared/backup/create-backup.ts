/**
 * Backs up an installation that may be at work: the log up to where it ends now, and what is not in the log.
 *
 * 1. Look at what the place holds: nothing, or a backup of the same log, which this one goes on from.
 * 2. The end of the log, and rows that leave their table when the log has them, at one moment; then the log up to there,
 *    part by part; then the other rows, and the keys (tables.ts says why in this order).
 * 3. The manifest. Until it is written, the backup that was there before is whole.
 * 4. Take away what the manifest does not name, of the names that a backup makes (our-names.ts): rows of earlier backups, so that what was erased goes from here too,
 *    and the last part of the log where it had room and was written anew with what follows, so that backups that are made often do not leave a part each.
 *
 * Cut at any point, the same command goes on with the parts of the log that were written.
 */
import type { Client } from 'pg';
import { writeKeys } from '#shared/backup/keys.ts';
import { addPart, adoptParts, type BackedUpLog, endOf, lineOf, type OpenEnd } from '#shared/backup/log-parts.ts';
import {
  filesOf,
  formatVersion,
  type Manifest,
  manifestName,
  manifestText,
  parseManifest,
} from '#shared/backup/manifest.ts';
import { isOurs } from '#shared/backup/our-names.ts';
import { maxPartBytes } from '#shared/backup/parts.ts';
import { BackupRefused } from '#shared/backup/refused.ts';
import { type BackupStore, type StoredFile, StoreUnavailable } from '#shared/backup/store.ts';
import { columnsOfAll, undecided, writeTables } from '#shared/backup/table-rows.ts';
import { rowsTables } from '#shared/backup/tables.ts';
import { pagesOf } from '#shared/event-log/copy-log-pages.ts';
import { type EventLog, LogUnavailable, type RecordedEvent } from '#shared/event-log/event-log.ts';
import { fractionOf, type Position } from '#shared/event-log/position.ts';
import { TimedOut, within } from '#shared/runtime/within.ts';

/** One backup of an installation at a time; the number is only ours. */
const lockKey = 7_305_120_442;
const lockNotAvailable = '55P03';
/** The tables of planned appends are locked for as long. */
const headMilliseconds = 2_000;

export interface BackupOptions {
  readonly log: EventLog;
  /** A session of its own, not of a transaction pooler. */
  readonly client: Client;
  /** Whose keys are backed up; null: none. */
  readonly keysOf: string | null;
  readonly store: BackupStore;
  /** Of Cool Mint. */
  readonly version: string;
  readonly now: () => Date;
  /** Of text in a part of the log, in bytes; tests make it small. */
  readonly partBytes?: number;
  /** Ends it between two parts. */
  readonly signal: AbortSignal;
  /** Events that the backup holds, and how far it is, from 0 to 1. */
  readonly onProgress: (events: number, fraction: number) => void;
}

export interface BackupResult {
  /** Events that the place held before, also by a backup that was cut. */
  readonly before: number;
  readonly events: number;
  /** Of the last event; null where there is none. */
  readonly position: Position | null;
  /** The greatest recordedAt. */
  readonly time: string | null;
  /** Rows of tables that are not in the log. */
  readonly rows: number;
  readonly keys: boolean;
  /** Of all its files, compressed. */
  readonly bytes: number;
  /** Whether files of earlier backups could not be taken away. */
  readonly leftBehind: boolean;
}

/** Throws BackupRefused where the place holds something else, or another backup is under way. */
export async function createBackup(options: BackupOptions): Promise<BackupResult> {
  const { client } = options;
  try {
    // The session of one that was just killed may hold it for a moment.
    await client.query("set lock_timeout = '3s'");
    await client.query('select pg_advisory_lock($1)', [lockKey]);
    await client.query('reset lock_timeout');
  } catch (error) {
    if ((error as { code?: string }).code !== lockNotAvailable) throw error;
    throw new BackupRefused('Another backup of this installation is under way. Wait until it has ended.');
  }
  try {
    return await backUp(options);
  } finally {
    // A session that was cut has let go of it.
    await client.query('select pg_advisory_unlock($1)', [lockKey]).catch(() => undefined);
  }
}

async function backUp(options: BackupOptions): Promise<BackupResult> {
  const { log, client, keysOf, store, version, now, partBytes = maxPartBytes, signal, onProgress } = options;
  const there = await columnsOfAll(client);
  const unknown = undecided(there.keys());
  if (unknown.length > 0)
    throw new BackupRefused(
      `This version of Cool Mint does not know ${unknown.join(', ')}. Back up with the version that the service has.`,
    );

  const files = await store.list();
  const present = await logThere(store, files, log);
  const { log: adopted, end } = await adoptParts(store, files, present, signal);
  if (adopted.events > 0) await checkSameLog(log, adopted);

  // One that is missing: the service is older, and has nothing in it.
  const tables = rowsTables.filter(({ table }) => there.has(table));
  let head = log.start;
  const tablesBefore = await writeTables(
    client,
    store,
    tables.filter(({ read }) => read === 'with the end of the log'),
    signal,
    // Whoever plans an append waits meanwhile, and a log that is away would keep him waiting for as long as it is asked.
    async () => {
      head = await headWithin(log);
    },
  );
  const backedUp = await backUpLog({ log, store, from: adopted, end, head, partBytes, signal, onProgress });
  const tablesAfter = await writeTables(
    client,
    store,
    tables.filter(({ read }) => read === 'after the log'),
    signal,
  );
  const content: Manifest = {
    format: formatVersion,
    version,
    createdAt: now().toISOString(),
    log: backedUp,
    tables: [...tablesBefore, ...tablesAfter],
    keys: keysOf === null ? [] : await writeKeys(store, keysOf),
  };
  signal.throwIfAborted();
  await store.write(manifestName, Buffer.from(manifestText(content)));
  const leftBehind = !(await removeOthers(store, content));
  return {
    before: adopted.events,
    events: backedUp.events,
    position: backedUp.events > 0 ? endOf(backedUp) : null,
    time: backedUp.parts.at(-1)?.time ?? null,
    rows: content.tables.reduce((sum, { rows }) => sum + rows, 0),
    keys: content.keys.length > 0,
    bytes: filesOf(content).reduce((sum, { bytes }) => sum + bytes, 0),
    leftBehind,
  };
}

async function headWithin(log: EventLog): Promise<Position> {
  try {
    return await within(headMilliseconds, log.head());
  } catch (error) {
    if (error instanceof TimedOut)
      throw new LogUnavailable(`the event log did not say within ${headMilliseconds / 1_000} s where it ends`);
    throw error;
  }
}

/** What the complete backup that is there holds of this log; nothing where there is none. */
async function logThere(store: BackupStore, there: readonly StoredFile[], log: EventLog): Promise<BackedUpLog> {
  const bytes = await store.read(manifestName);
  if (bytes === null) {
    const foreign = there.find(({ name }) => !isOurs(name));
    if (foreign)
      throw new BackupRefused(
        `${store.place} is neither empty nor a backup: it holds ${foreign.name}. Choose an empty place.`,
      );
    return { id: log.id, start: log.start, position: log.start, events: 0, lastEvent: null, parts: [] };
  }
  const content = parseManifest(bytes);
  if (content.log.id !== log.id)
    throw new BackupRefused(
      `${store.place} holds a backup of another event log (${content.log.id}; this one is ${log.id}). Choose an empty place: a log that was restored or moved is another one.`,
    );
  const sizes = new Map(there.map(({ name, bytes }) => [name, bytes]));
  const damaged = content.log.parts.find(({ name, bytes }) => sizes.get(name) !== bytes);
  if (damaged)
    throw new BackupRefused(
      `${damaged.name} is ${sizes.has(damaged.name) ? 'not as it was written' : 'missing'}, so the backup in ${store.place} cannot be gone on with. Choose an empty place.`,
    );
  return content.log;
}

/** The same id is no proof: a database that was set back by its own tools keeps it. */
async function checkSameLog(log: EventLog, backedUp: BackedUpLog): Promise<void> {
  const end = endOf(backedUp);
  const event = end > (await log.head()) ? null : await log.readAt(end);
  if (event?.id !== backedUp.lastEvent)
    throw new BackupRefused(
      `The backup holds events that the log has not, or has others in their place, at ${end}: the log was set back since. Choose an empty place, and keep this backup until you are sure that you do not need it.`,
    );
}

/** With the end of the line. */
const sizeOf = (line: string) => Buffer.byteLength(line) + 1;

/** Adds all events up to `head`, one part after another. */
async function backUpLog({
  log,
  store,
  from,
  end,
  head,
  partBytes,
  signal,
  onProgress,
}: {
  readonly log: EventLog;
  readonly store: BackupStore;
  readonly from: BackedUpLog;
  /** Begun anew with what follows, where it has room. */
  readonly end: OpenEnd | null;
  readonly head: Position;
  readonly partBytes: number;
  readonly signal: AbortSignal;
  readonly onProgress: BackupOptions['onProgress'];
}): Promise<BackedUpLog> {
  let backedUp = from;
  let events: RecordedEvent[] = [];
  let lines: string[] = [];
  let size = 0;
  const flush = async () => {
    signal.throwIfAborted();
    if (events.length > 0) backedUp = await addPart(store, backedUp, events, lines);
    [events, lines, size] = [[], [], 0];
  };
  const reopen = ({ before, events: there, lines: written }: OpenEnd) => {
    const taken = written.reduce((sum, line) => sum + sizeOf(line), 0);
    if (taken < partBytes) [backedUp, events, lines, size] = [before, [...there], [...written], taken];
  };
  if (from.position < head)
    for await (const page of pagesOf(log, from.position, signal)) {
      for (const event of page.events) {
        if (event.position > head) break;
        if (backedUp === from && end !== null && events.length === 0) reopen(end);
        const line = lineOf(event);
        events.push(event);
        lines.push(line);
        size += sizeOf(line);
        if (size >= partBytes) await flush();
      }
      onProgress(backedUp.events + events.length, fractionOf(page.position, head) ?? 1);
      if (page.position >= head) break;
    }
  await flush();
  return { ...backedUp, position: head > backedUp.position ? head : backedUp.position };
}

/** False where the store does not let us: some keep everything, on purpose. */
async function removeOthers(store: BackupStore, content: Manifest): Promise<boolean> {
  const named = new Set([manifestName, ...filesOf(content).map(({ name }) => name)]);
  try {
    for (const { name } of await store.list()) if (!named.has(name) && isOurs(name)) await store.remove(name);
    return true;
  } catch (error) {
    if (error instanceof StoreUnavailable) return false;
    throw error;
  }
}
