import fc from 'fast-check';
import { expect, test } from 'vitest';
import { boolean, instant, plainDate, seconds } from './source-values.ts';

test('the four time formats of Salesforce are one instant', () => {
  const same = '2024-01-23T17:50:51.000Z';
  for (const text of ['2024-01-23T17:50:51.000+0000', same, '2024-01-23T17:50:51Z', '1706032251000'])
    expect(instant(text)).toBe(same);
});

test('another zone is turned into UTC, and a bare date is the start of that day in UTC', () => {
  expect(instant('2024-01-23T17:50:51.123+02:00')).toBe('2024-01-23T15:50:51.123Z');
  expect(instant('2024-01-23T23:30:00-0530')).toBe('2024-01-24T05:00:00.000Z');
  expect(instant('2024-01-23')).toBe('2024-01-23T00:00:00.000Z');
});

test('a time without a zone, an impossible one and a local one are refused', () => {
  for (const text of [
    '2024-01-23T17:50:51',
    '2024-02-30T00:00:00Z',
    '2024-01-23T24:00:00Z',
    '23/01/2024 09:00',
    'now',
    '2024',
    '170603225',
  ])
    expect(instant(text)).toBeUndefined();
});

test('every instant is read back as itself', () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T00:00:00Z'), noInvalidDate: true }),
      (date) => {
        expect(instant(date.toISOString())).toBe(date.toISOString());
      },
    ),
  );
});

test('a plain date stays as it is, and is never shifted by a zone', () => {
  expect(plainDate('2024-02-29')).toBe('2024-02-29');
  expect(plainDate('2024-02-29T00:00:00.000Z')).toBe('2024-02-29');
  expect(plainDate('2024-02-29T00:00:00.000+0000')).toBe('2024-02-29');
});

test('dates that do not exist and local forms are refused', () => {
  for (const text of [
    '2024-02-30',
    '2023-02-29',
    '1900-02-29',
    '2024-13-01',
    '2024-00-10',
    '2024-01-00',
    '1/23/2024',
    '2024-01-23T09:00:00Z',
  ])
    expect(plainDate(text)).toBeUndefined();
});

test('booleans are true, 1, yes, false, 0 and no in any case', () => {
  for (const text of ['true', '1', 'YES', 'True']) expect(boolean(text)).toBe(true);
  for (const text of ['false', '0', 'No', 'FALSE']) expect(boolean(text)).toBe(false);
  for (const text of ['', 'maybe', '2', 'constructor']) expect(boolean(text)).toBeUndefined();
});

test('a duration is a number of seconds, or of minutes, and never negative', () => {
  expect([seconds('90'), seconds('1.5', 60), seconds('0')]).toEqual([90, 90, 0]);
  for (const text of ['-1', '1e3', '12:30', '99999999']) expect(seconds(text)).toBeUndefined();
});
