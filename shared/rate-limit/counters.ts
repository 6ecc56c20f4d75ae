/**
 * Counters for limits: how often somebody did something in the running window. A window begins with its first count and
 * ends after its length; so at its border twice the limit may pass, which is the price of one small number a caller.
 */
export interface Counted {
  /** In the running window, this one included. */
  readonly count: number;
  /** Until the window ends. */
  readonly milliseconds: number;
}

export interface Counters {
  /** Counts one more under the key. Never rejects; where the shared counter is away, this process counts for itself. */
  count(key: string, windowMilliseconds: number): Promise<Counted>;
}
