import { expect, test } from 'vitest';
import { mix, random } from './random.ts';

test('draws are spread evenly', () => {
  const draw = random(1, 2, 3);
  const counts = Array.from({ length: 10 }, () => 0);
  for (let i = 0; i < 100_000; i++) counts[draw.below(10)]!++;
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
});

test('the first draws of neighbouring records differ as much as any', () => {
  const mean = Array.from({ length: 10_000 }, (_, i) => random(7, 84, i).next()).reduce((a, b) => a + b) / 10_000;
  expect(mean).toBeCloseTo(0.5, 1);
  expect(new Set(Array.from({ length: 10_000 }, (_, i) => mix(7, 84, i))).size).toBeGreaterThan(9_990);
});

test('weights decide how often something is picked', () => {
  const draw = random(5);
  const picks = Array.from({ length: 10_000 }, () =>
    draw.weighted([
      ['a', 3],
      ['b', 1],
      ['c', 0],
    ] as const),
  );
  expect(picks.filter((pick) => pick === 'a').length / 10_000).toBeCloseTo(0.75, 1);
  expect(picks).not.toContain('c');
});
