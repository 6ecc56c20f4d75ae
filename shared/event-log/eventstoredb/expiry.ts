/**
 * A time-out for very many calls at once, for the price of one timer: what is begun goes into the young set, which
 * becomes the old one after each period; what is old at the end of a period has expired. So a call is given up after
 * one to two periods.
 */
import type { Runtime } from '#shared/runtime/runtime.ts';

/** A call that was not answered in its time. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

export interface Awaited {
  /** Something was heard of it: its time begins anew. */
  heard(): void;
  answered(): void;
}

export interface Expiry {
  /** Calls `expired` unless it was answered before. */
  begin(expired: (error: NoAnswer) => void): Awaited;
  /** The work, or a NoAnswer. What comes later is nobody's. */
  within<T>(work: Promise<T>): Promise<T>;
  /** Everything that waits expires now. */
  close(): void;
}

export function expiry(runtime: Runtime, periodMilliseconds: number): Expiry {
  type Waiting = (error: NoAnswer) => void;
  let young = new Set<Waiting>();
  let old = new Set<Waiting>();
  let turning = false;
  const stop = new AbortController();

  function expire(some: ReadonlySet<Waiting>): void {
    for (const expired of some) expired(new NoAnswer('no answer in time'));
  }

  async function turn(): Promise<void> {
    if (turning) return;
    turning = true;
    while (young.size + old.size > 0) {
      await runtime.sleep(periodMilliseconds, stop.signal);
      const gone = old;
      old = young;
      young = new Set();
      expire(gone);
    }
    turning = false;
  }

  function begin(expired: Waiting): Awaited {
    const own: Waiting = (error) => expired(error);
    young.add(own);
    void turn();
    return {
      heard() {
        if (old.delete(own)) young.add(own);
      },
      answered() {
        if (!young.delete(own)) old.delete(own);
      },
    };
  }

  return {
    begin,
    within: (work) =>
      new Promise((resolve, reject) => {
        const { answered } = begin(reject);
        work.then(resolve, reject).finally(answered);
      }),
    close: () => stop.abort(),
  };
}
