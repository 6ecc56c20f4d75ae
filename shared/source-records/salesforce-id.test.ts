import fc from 'fast-check';
import { expect, test } from 'vitest';
import { salesforceId, whyNoSalesforceId } from './salesforce-id.ts';

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const shortId = fc.string({ unit: fc.constantFrom(...letters), minLength: 15, maxLength: 15 });

test('a 15-character id gets the suffix that Salesforce gives it', () => {
  expect(salesforceId('00TEc00000Co1Wh')).toBe('00TEc00000Co1WhMAJ');
  expect(salesforceId('003Ec00000CyOT7')).toBe('003Ec00000CyOT7IAN');
  expect(salesforceId('0015300000MO103')).toBe('0015300000MO103AAD');
});

test('every 15-character id has one 18-character form, which stays as it is', () => {
  fc.assert(
    fc.property(shortId, (id) => {
      const long = salesforceId(id);
      expect(long).toHaveLength(18);
      expect(long?.slice(0, 15)).toBe(id);
      expect(salesforceId(long ?? '')).toBe(long);
    }),
  );
});

test('a change of case anywhere in an 18-character id is found', () => {
  fc.assert(
    fc.property(shortId, fc.nat(14), (id, at) => {
      const letter = id.charAt(at);
      const other = letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase();
      fc.pre(other !== letter);
      const long = salesforceId(id) ?? '';
      expect(salesforceId(long.slice(0, at) + other + long.slice(at + 1))).toBeNull();
    }),
  );
});

test('wrong length, characters and suffix are no id, and each says why without the text', () => {
  expect(whyNoSalesforceId('00T')).toContain('3 characters');
  expect(whyNoSalesforceId('00TEc00000Co1-h')).toContain('characters other than');
  expect(whyNoSalesforceId('00TEc00000Co1WhMAX')).toContain('upper and lower case');
  for (const id of ['', '00T', '00TEc00000Co1-h', '00TEc00000Co1WhMAX', '00TEc00000Co1W\0'])
    expect(salesforceId(id)).toBeNull();
});
