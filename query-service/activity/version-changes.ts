/** Which fields changed between two versions: computed from neighbours, never stored. */
import { isDeepStrictEqual } from 'node:util';
import type { ActivitySnapshot } from '#shared/events/activity.ts';

export interface FieldChange {
  readonly field: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Fields of the snapshot by their path; how a value was derived, what it was given as, and the salt are not content. */
function fieldsOf(snapshot: ActivitySnapshot): Map<string, unknown> {
  const { derived, given, personal, contentHash, ...facts } = snapshot;
  const { salt, extra, names, ...texts } = personal;
  return new Map<string, unknown>([
    ...Object.entries(facts),
    ...Object.entries(derived).filter(([name]) => !name.endsWith('From')),
    ...Object.entries(texts),
    ...Object.entries(extra).map(([name, value]): [string, unknown] => [`extra.${name}`, value]),
    ...Object.entries(names).map(([name, value]): [string, unknown] => [`names.${name}`, value]),
  ]);
}

export function versionChanges(before: ActivitySnapshot, after: ActivitySnapshot): FieldChange[] {
  const old = fieldsOf(before);
  const now = fieldsOf(after);
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((field) => !isDeepStrictEqual(old.get(field), now.get(field)))
    .map((field) => ({ field, before: old.get(field) ?? null, after: now.get(field) ?? null }));
}
