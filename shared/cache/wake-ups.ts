/** Waiting for the next call of `wake`, by topic: whoever waits for one thing is not woken for another. */
export interface WakeUps {
  wake(topic: string): void;
  /** Resolves at the next wake-up of the topic, or when aborted. */
  next(topic: string, signal: AbortSignal): Promise<void>;
}

export function wakeUps(): WakeUps {
  const waiting = new Map<string, Set<() => void>>();
  return {
    wake(topic) {
      for (const wake of [...(waiting.get(topic) ?? [])]) wake();
    },
    next(topic, signal) {
      return new Promise((resolve) => {
        const those = waiting.get(topic) ?? new Set();
        waiting.set(topic, those);
        const wake = () => {
          those.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        if (signal.aborted) return resolve();
        those.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    },
  };
}
