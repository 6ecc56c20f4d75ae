import { expect, test } from 'vitest';
import { mappingSchema, mappingTargets, parseMapping } from './mapping.ts';

test('arguments win over the mapping file', () => {
  expect(parseMapping(['kind=Type__c', 'subject = Title'], { kind: 'Other__c', outcome: 'Result__c' })).toEqual({
    outcome: 'mapping',
    mapping: { kind: 'Type__c', subject: 'Title', outcome: 'Result__c' },
  });
});

test('a column may have an equals sign in its name', () => {
  expect(parseMapping(['kind=a=b'])).toEqual({ outcome: 'mapping', mapping: { kind: 'a=b' } });
});

test('an unknown field is refused with the list of valid ones, all problems at once', () => {
  const parsed = parseMapping(['Kind=Type__c', 'kind', 'kind=x', 'toString=y'], { status: 7 });
  expect(parsed.outcome).toBe('invalid');
  if (parsed.outcome !== 'invalid') return;
  expect(parsed.problems).toHaveLength(5);
  expect(parsed.problems[0]).toBe('mapping file: status needs the name of a column, at most 255 characters');
  expect(parsed.problems[1]).toBe(`--map: there is no field "Kind"; fields are ${mappingTargets.join(', ')}`);
  expect(parsed.problems[2]).toContain('expected field=Column');
  expect(parsed.problems[3]).toContain('given twice');
});

test('a mapping file that is no object is refused', () => {
  for (const file of [null, [], 'kind=Type__c', 3]) expect(parseMapping([], file).outcome).toBe('invalid');
});

test('the schema takes what parsing gives, and nothing else', () => {
  expect(mappingSchema.parse({})).toEqual({});
  expect(mappingSchema.parse({ kind: 'Type__c', durationSeconds: 'Länge' })).toEqual({
    kind: 'Type__c',
    durationSeconds: 'Länge',
  });
  expect(mappingSchema.safeParse({ kinds: 'Type__c' }).success).toBe(false);
  expect(mappingSchema.safeParse({ kind: '' }).success).toBe(false);
  expect(mappingSchema.safeParse({ object: 'Type__c' }).success).toBe(false);
});
