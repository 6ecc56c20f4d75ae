/**
 * Bounds what is under way at once, in calls and in bytes, first come first served. More bytes than a connection
 * carries in the time of one attempt would make every attempt too late, and its repetition too.
 */
export interface InFlight {
  /** Runs the work when there is room; one that is larger than all the room runs alone. */
  run<T>(bytes: number, work: () => Promise<T>): Promise<T>;
}

export function inFlight(limits: { readonly calls: number; readonly bytes: number }): InFlight {
  const queue: { readonly bytes: number; start(): void }[] = [];
  let calls = 0;
  let bytes = 0;

  function startWhatFits(): void {
    for (let next = queue[0]; next; next = queue[0]) {
      const full = calls >= limits.calls || (calls > 0 && bytes + next.bytes > limits.bytes);
      if (full) return;
      queue.shift();
      calls++;
      bytes += next.bytes;
      next.start();
    }
  }

  return {
    async run(size, work) {
      await new Promise<void>((start) => {
        queue.push({ bytes: size, start });
        startWhatFits();
      });
      try {
        return await work();
      } finally {
        calls--;
        bytes -= size;
        startWhatFits();
      }
    },
  };
}
