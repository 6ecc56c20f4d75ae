/** Waiting for the next call of `wake`. */
export interface WakeUps {
  wake(): void;
  /** Resolves at the next wake-up, or when aborted. */
  next(signal: AbortSignal): Promise<void>;
}

export function wakeUps(): WakeUps {
  const waiting = new Set<() => void>();
  return {
    wake() {
      for (const wake of [...waiting]) wake();
    },
    next(signal) {
      return new Promise((resolve) => {
        const wake = () => {
          waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        if (signal.aborted) return resolve();
        waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    },
  };
}
