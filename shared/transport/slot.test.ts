import { expect, test } from 'vitest';
import { murmur2 } from '#shared/transport/murmur2.ts';
import { slotOf } from '#shared/transport/slot.ts';

test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2 agrees with the vectors of Kafka: %s', (text, expected) => {
  expect(murmur2(text)).toBe(expected);
});

test('slots are permanent: these tenants have these slots for ever', () => {
  expect(['demo', 'main', 'system', 'acme'].map(slotOf)).toMatchInlineSnapshot(`
    [
      19,
      23,
      38,
      4,
    ]
  `);
});
