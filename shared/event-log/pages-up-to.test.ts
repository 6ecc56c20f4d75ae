import { expect, test } from 'vitest';
import { newEvent } from '#shared/event-log/contract.ts';
import { memoryEventLog } from '#shared/event-log/memory-event-log.ts';
import { LogEndsEarly, pagesUpTo } from '#shared/event-log/pages-up-to.ts';
import { positionOf } from '#shared/event-log/position.ts';

async function logOf(count: number) {
  const log = memoryEventLog();
  for (let n = 0; n < count; n++)
    await log.append([{ stream: `selection-${n}`, expected: 'none', events: [newEvent('acme')] }]);
  return log;
}
const sizes = async (pages: AsyncIterable<readonly unknown[]>) =>
  (await Array.fromAsync(pages)).map(({ length }) => length);

test('pages go on until the position is reached', async () => {
  const log = await logOf(10);
  const { events } = await log.readAll(log.start, 10);
  expect(await sizes(pagesUpTo(log, log.start, events[5]?.position as string, 4))).toEqual([4, 4]);
  expect(await sizes(pagesUpTo(log, log.start, await log.head(), 4))).toEqual([4, 4, 2]);
  expect(await sizes(pagesUpTo(log, await log.head(), await log.head(), 4))).toEqual([]);
});

test('a log that ends before it is told of, not taken for read', async () => {
  const log = await logOf(3);
  await expect(sizes(pagesUpTo(log, log.start, positionOf(log.id, 9), 2))).rejects.toBeInstanceOf(LogEndsEarly);
});
