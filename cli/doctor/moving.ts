/** Whether something that is behind goes on: looked at again and again, for a moment. */
import { setTimeout as wait } from 'node:timers/promises';

const patienceMilliseconds = 3_000;
const pauseMilliseconds = 100;

export type Motion = 'there' | 'moving' | 'standing';

/** `look` gives where it is, as text that grows. It is there as soon as that has reached the aim. */
export async function motionTo(aim: string, look: () => Promise<string>): Promise<Motion> {
  const until = performance.now() + patienceMilliseconds;
  const first = await look();
  for (let now = first; ; now = await look()) {
    if (now >= aim) return 'there';
    if (now !== first) return 'moving';
    if (performance.now() > until) return 'standing';
    await wait(pauseMilliseconds);
  }
}
