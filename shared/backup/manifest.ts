/**
 * The manifest of a backup: every file that belongs to it, with its size and digest. It is written last, so a backup
 * without one was cut; a file that it does not name is none of the backup's.
 *
 * The file is the JSON text of `{digest, manifest}` exactly as `manifestText` writes it, and is refused in any other
 * form: so every byte of it is covered by the digest.
 */
import { z } from 'zod';
import { digestOf } from '#shared/backup/digest.ts';
import { BackupRefused } from '#shared/backup/refused.ts';
import { isPosition } from '#shared/event-log/position.ts';

export const manifestName = 'manifest.json';
/** Raised when an older version could not read what a newer one wrote. */
export const formatVersion = 1;

const count = z.int().nonnegative();
const digest = z.string().regex(/^sha-256:[0-9a-f]{64}$/);
const position = z.string().refine(isPosition);
const time = z.iso.datetime({ precision: 3 });
/** Never a way out of the place, wherever the manifest comes from. */
const name = z.string().regex(/^(log|tables|keys)\/[A-Za-z0-9_.-]+$/);

const file = z.object({ name, bytes: count, digest });
const logPart = file.extend({
  events: z.int().positive(),
  /** Of its first and last event. */
  first: position,
  last: position,
  /** The greatest recordedAt up to its end, over all parts. */
  time,
});
const tablePart = file.extend({ rows: z.int().positive() });

const manifest = z.object({
  format: z.literal(formatVersion),
  /** Of Cool Mint. */
  version: z.string(),
  /** When the backup was complete. */
  createdAt: time,
  log: z.object({
    id: z.string().regex(/^[0-9a-f]{8}$/),
    /** Before its first event. */
    start: position,
    /** Read up to here. */
    position,
    events: count,
    /** The id of its last event. */
    lastEvent: z.uuid().nullable(),
    parts: z.array(logPart),
  }),
  tables: z.array(
    z.object({
      table: z.string().regex(/^[a-z_]+\.[a-z_]+$/),
      columns: z.array(z.string().regex(/^[a-z_]+$/)).min(1),
      rows: count,
      parts: z.array(tablePart),
    }),
  ),
  /** The private key of the local issuer; none where it was left out. */
  keys: z.array(file).max(1),
});

export type Manifest = z.infer<typeof manifest>;
export type LogPart = z.infer<typeof logPart>;
export type TablePart = z.infer<typeof tablePart>;
export type BackedUpTable = Manifest['tables'][number];
export type BackupFile = z.infer<typeof file>;

export function manifestText(content: Manifest): string {
  return `${JSON.stringify({ digest: digestOf(JSON.stringify(content)), manifest: content }, null, 1)}\n`;
}

/** Throws BackupRefused where the bytes are not exactly what was written. */
export function parseManifest(bytes: Buffer): Manifest {
  const text = bytes.toString('utf8');
  const content = (jsonOf(text) as { manifest?: unknown } | null)?.manifest;
  const format = (content as { format?: unknown } | null | undefined)?.format;
  if (typeof format === 'number' && format > formatVersion)
    throw new BackupRefused(
      `${manifestName}: the backup has format ${format}, this version of Cool Mint reads ${formatVersion}. Use the version that made it, or a newer one.`,
    );
  const read = manifest.safeParse(content);
  // Compared as bytes: what is no UTF-8 reads like something else.
  if (!read.success || !Buffer.from(manifestText(read.data)).equals(bytes))
    throw new BackupRefused(
      `${manifestName} is not as it was written: it does not agree with its own digest. Use another copy of the backup.`,
    );
  return read.data;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Every file of the backup except the manifest. */
export const filesOf = ({ log, tables, keys }: Manifest): readonly BackupFile[] => [
  ...log.parts,
  ...tables.flatMap(({ parts }) => parts),
  ...keys,
];
