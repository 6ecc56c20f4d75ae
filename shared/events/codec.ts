/**
 * Between a stored event and an event of today: `encode` checks new data against its schema, `decode` lifts data of
 * an older version through its upcasters, one version at a time. Old events always decode; a test holds a golden
 * fixture of every version that was ever stored.
 */
import type { z } from 'zod';
import type { RecordedEvent } from '#shared/event-log/event-log.ts';
import { type DomainEvent, type EventType, eventDefinitions, type StoredEvent } from '#shared/events/event.ts';

interface Definition {
  readonly version: number;
  readonly data: z.ZodType;
  /** From version n (the key) to n + 1. */
  readonly upcasters?: Readonly<Record<number, (data: unknown) => unknown>>;
}

export class UndecodableEvent extends Error {
  override readonly name = 'UndecodableEvent';
}

const definitionOf = (definitions: Readonly<Record<string, Definition>>, type: string): Definition | undefined =>
  Object.hasOwn(definitions, type) ? definitions[type] : undefined;

/** The version that new events of a type are written in. */
export const currentVersion = (type: EventType): number => eventDefinitions[type].version;

/** Checks the data of a new event; throws a ZodError, which is a bug of ours. */
export function encodeEvent<E extends DomainEvent>(event: E): E {
  eventDefinitions[event.type].data.parse(event.data);
  return event;
}

/** Data of any stored version as data of the current one. */
export function upcast(
  type: string,
  version: number,
  data: unknown,
  definitions: Readonly<Record<string, Definition>>,
): unknown {
  const definition = definitionOf(definitions, type);
  if (!definition) throw new UndecodableEvent(`no event type ${type} is known to this version of Cool Mint`);
  if (version > definition.version)
    throw new UndecodableEvent(
      `${type} version ${version} is newer than this version of Cool Mint, which knows ${definition.version}`,
    );
  let current = data;
  for (let from = version; from < definition.version; from++) {
    const upcaster = definition.upcasters?.[from];
    if (!upcaster) throw new UndecodableEvent(`${type} has no upcaster from version ${from}`);
    current = upcaster(current);
  }
  return current;
}

/** A recorded event in its current version. Data is trusted: it was checked when it was recorded. */
export function decodeEvent(event: RecordedEvent): StoredEvent {
  const data = upcast(event.type, event.metadata.schemaVersion, event.data, eventDefinitions);
  return { ...event, data } as StoredEvent;
}
