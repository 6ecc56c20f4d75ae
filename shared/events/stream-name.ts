/** Names of streams and the identities in them. A stream's category stands before the first dash of its name. */
import { v5 } from 'uuid';

/** Namespaces of our UUIDv5 identities. They are stored for ever: never change one. */
const namespaces = {
  activity: '6f1a5f6e-0d0c-4b0e-9d43-3c1f6f0a7c11',
  related: '2f8f2b1c-53a8-4b53-8a1e-7a2a1d1d5c22',
  command: 'a4c1d7c4-1b7e-4f0c-8f7e-0b5b9c2e7d33',
  event: 'd9b8a3e2-7c55-4c1b-9a06-5d8f3e4b6a44',
  entity: '0e7c6b5a-2d44-4e8f-b1c3-9f6a8d7e5b55',
} as const;

/** UUIDv5 over the JSON array of the parts, so that no two lists of parts give the same name. */
function identity(namespace: keyof typeof namespaces, ...parts: readonly (string | number)[]): string {
  return v5(JSON.stringify(parts), namespaces[namespace]);
}

/** One CRM record is one activity, by whatever channel it comes. */
export const activityId = (tenant: string, source: string, sourceId: string) =>
  identity('activity', tenant, source, sourceId);

export const relatedRecordId = (tenant: string, source: string, sourceId: string) =>
  identity('related', tenant, source, sourceId);

/** A command: who asked for what, under which key. `target` is the route with its ids. */
export const commandId = (tenant: string, actor: string, target: string, key: string) =>
  identity('command', tenant, actor, target, key);

/** The id of what a command makes. Not of what was asked for: another request under the same key meets the first one. */
export const entityId = (command: string) => identity('entity', command);

/** The id of the index-th event of a command. */
export const commandEventId = (command: string, requestHash: string, index: number) =>
  identity('event', command, requestHash, index);

/** The id of the one event that a batch of a sync run may add to a stream. */
export const syncEventId = (stream: string, run: string, part: number, batch: number) =>
  identity('event', stream, run, part, batch);

export const categoryOf = (stream: string) => stream.slice(0, stream.indexOf('-'));
export const entityIdOf = (stream: string) => stream.slice(stream.indexOf('-') + 1);

/** Every category of ours: a log that is shared with others holds more. */
export const categories = ['activity', 'related', 'syncrun', 'selection', 'projection'] as const;

const named = (category: (typeof categories)[number]) => (id: string) => `${category}-${id}`;

export const streamName = {
  activity: named('activity'),
  related: named('related'),
  syncRun: named('syncrun'),
  selection: named('selection'),
  projection: named('projection'),
} as const;
