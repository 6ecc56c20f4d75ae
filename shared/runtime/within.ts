export class TimedOut extends Error {
  override readonly name = 'TimedOut';
}

/**
 * The result of `work`, or a rejection with TimedOut after so many milliseconds; what comes later is dropped. Where this
 * process itself was held up longer than that, what arrived meanwhile still counts: it is read before the verdict.
 */
export function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      // Timers run before sockets are read, setImmediate after.
      () => setImmediate(() => reject(new TimedOut(`no answer within ${milliseconds} ms`))),
      milliseconds,
    );
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
