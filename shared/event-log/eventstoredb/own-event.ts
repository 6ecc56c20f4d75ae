/** Tells our events from the server's own and other people's. */
import { z } from 'zod';
import type { RecordedEvent } from '#shared/event-log/event-log.ts';
import type { ServerEvent } from '#shared/event-log/eventstoredb/read-page.ts';
import type { Position } from '#shared/event-log/position.ts';
import type { EventMetadata } from '#shared/events/metadata.ts';
import { categories, categoryOf } from '#shared/events/stream-name.ts';

/** What makes an event in a stream of our category ours; the codec judges the rest. */
const ourMetadata = z.looseObject({ schemaVersion: z.number(), tenant: z.string(), recordedAt: z.string() });
const ourCategories = new Set<string>(categories);

/** Null where it is not ours. */
export function ownEvent(
  { id, stream, revision, type, data, metadata, position }: ServerEvent,
  prefix: string,
  positionHere: (position: ServerEvent['position']) => Position,
): RecordedEvent | null {
  if (!stream.startsWith(prefix)) return null;
  const name = stream.slice(prefix.length);
  if (!ourCategories.has(categoryOf(name)) || !ourMetadata.safeParse(metadata).success) return null;
  return {
    id,
    type,
    stream: name,
    revision: Number(revision),
    position: positionHere(position),
    data,
    metadata: metadata as EventMetadata,
  };
}
