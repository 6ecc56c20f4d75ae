import { expect, test } from 'vitest';
import { startWarmer } from '#query-service/warmer.ts';
import { wakeUps } from '#shared/cache/wake-ups.ts';
import { type Runtime, systemRuntime } from '#shared/runtime/runtime.ts';

function warmed() {
  let ahead = 0;
  const runtime: Runtime = {
    ...systemRuntime,
    now: () => new Date(1_800_000_000_000 + ahead),
    // Waiting costs no time here, and goes on as the clock does.
    sleep: async (_, signal) => systemRuntime.sleep(1, signal),
  };
  const waking = wakeUps();
  let publications = 0;
  const made: string[] = [];
  let changes = 0;
  const warmer = startWarmer({ cache: { published: waking.next }, runtime, projections: ['catalog'] });
  return {
    warmer,
    made,
    forward: (milliseconds: number) => {
      ahead += milliseconds;
    },
    ask: (question: string) =>
      warmer.asked('catalog', question, `key ${changes}`, async (known) => {
        const key = `key ${changes}`;
        if (key !== known) made.push(`${question} ${key}`);
        return key;
      }),
    /** Something changes, and is published; resolves when the warmer has had its turn. */
    async change() {
      changes++;
      const turns = publications + 3;
      while (publications < turns) {
        publications++;
        waking.wake('catalog');
        waking.wake('audit');
        await systemRuntime.sleep(5);
      }
    },
  };
}

test('what is asked again and again is made ready after a change; what was asked once is not', async () => {
  const { warmer, made, forward, ask, change } = warmed();
  for (const question of ['often', 'often', 'once']) ask(question);
  forward(1_500);
  await change();
  expect(made).toEqual(['often key 1']);
  await warmer.stop();
});

test('it is made ready once a second at most, once a change, and no longer than it is asked for', async () => {
  const { warmer, made, forward, ask, change } = warmed();
  ask('often');
  ask('often');
  forward(1_500);
  await change();
  await change();
  expect(made).toEqual(['often key 1']);
  forward(1_000);
  await change();
  expect(made).toEqual(['often key 1', 'often key 3']);
  forward(31_000);
  await change();
  expect(made).toEqual(['often key 1', 'often key 3']);
  await warmer.stop();
});

test('one that fails keeps no other from being made', async () => {
  const { warmer, made, forward, ask, change } = warmed();
  for (let times = 0; times < 2; times++) {
    warmer.asked('catalog', 'broken', 'key 0', () => Promise.reject(new Error('the database is away')));
    ask('often');
  }
  forward(1_500);
  await change();
  expect(made).toEqual(['often key 1']);
  await warmer.stop();
});
