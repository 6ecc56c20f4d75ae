import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { currentVersion, decodeEvent, encodeEvent, UndecodableEvent, upcast } from '#shared/events/codec.ts';
import { type EventType, eventDefinitions } from '#shared/events/event.ts';
import { eventMetadata } from '#shared/events/metadata.ts';

const folder = new URL('./golden/', import.meta.url);
const golden = (type: string, version: number) =>
  JSON.parse(readFileSync(new URL(`${type}.v${version}.json`, folder), 'utf8'));
const types = Object.keys(eventDefinitions) as EventType[];
const files = readdirSync(folder).sort();

describe('golden fixtures: every version that was ever stored', () => {
  test('there is one for every version of every event type, and none without a type', () => {
    const expected = types.flatMap((type) =>
      Array.from({ length: currentVersion(type) }, (_, index) => `${type}.v${index + 1}.json`),
    );
    expect(files).toEqual(expected.sort());
  });

  test.each(files)('%s decodes to an event of today', (file) => {
    const [type, version] = file.replace('.json', '').split('.v') as [EventType, string];
    const stored = golden(type, Number(version));
    expect(stored.metadata.schemaVersion).toBe(Number(version));
    expect(eventMetadata.parse(stored.metadata)).toEqual(stored.metadata);
    const decoded = decodeEvent(stored);
    expect(eventDefinitions[type].data.parse(decoded.data)).toEqual(decoded.data);
  });
});

test('new data that does not fit its schema is refused before it is stored', () => {
  expect(() => encodeEvent({ type: 'SelectionRenamed', data: { name: '' } })).toThrow(z.ZodError);
});

describe('upcasting', () => {
  const definitions = {
    Renamed: {
      version: 3,
      data: z.unknown(),
      upcasters: {
        1: (data: unknown) => ({ ...(data as object), second: true }),
        2: (data: unknown) => ({ ...(data as object), third: true }),
      },
    },
    Broken: { version: 2, data: z.unknown() },
  };

  test('goes one version at a time up to the current one', () => {
    expect(upcast('Renamed', 1, { first: true }, definitions)).toEqual({ first: true, second: true, third: true });
    expect(upcast('Renamed', 2, {}, definitions)).toEqual({ third: true });
    expect(upcast('Renamed', 3, {}, definitions)).toEqual({});
  });

  test('of an unknown type, a newer version or without an upcaster fails with a clear error', () => {
    expect(() => upcast('Nothing', 1, {}, definitions)).toThrow(UndecodableEvent);
    expect(() => upcast('Renamed', 4, {}, definitions)).toThrow(/newer than this version/);
    expect(() => upcast('Broken', 1, {}, definitions)).toThrow(/no upcaster from version 1/);
    expect(() => upcast('toString', 1, {}, definitions)).toThrow(UndecodableEvent);
  });
});
