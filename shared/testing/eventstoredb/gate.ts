/**
 * What stops and continues a process, as SIGSTOP and SIGCONT do, and what kills it. Everything that the server does
 * for a client passes here: while the gate is closed it waits, and goes on in the same order when the gate opens; what
 * waits or comes when the process is dead never happens.
 */
export interface Gate {
  readonly state: 'open' | 'closed' | 'dead';
  /** Now if the gate is open, else as soon as it opens, if ever. */
  pass(work: () => void): void;
  close(): void;
  open(): void;
  /** Forgets what waits, and lets nothing pass any more. */
  die(): void;
  /** Opens as that of a new process. */
  revive(): void;
  /** Told when the gate closes, and when it opens again. */
  onChange(listener: () => void): void;
}

/** An open gate. */
export function createGate(): Gate {
  let state: Gate['state'] = 'open';
  let waiting: (() => void)[] = [];
  const listeners: (() => void)[] = [];

  function change(to: 'open' | 'closed'): void {
    state = to;
    for (const listener of listeners) listener();
  }

  const gate: Gate = {
    get state() {
      return state;
    },
    pass(work) {
      if (state === 'open') work();
      else if (state === 'closed') waiting.push(work);
    },
    close() {
      if (state === 'open') change('closed');
    },
    open() {
      if (state !== 'closed') return;
      change('open');
      const works = waiting;
      waiting = [];
      // One of them may close the gate again, or be the end of the process: the others go where that sends them.
      for (const work of works) gate.pass(work);
    },
    die() {
      state = 'dead';
      waiting = [];
    },
    revive() {
      state = 'open';
    },
    onChange: (listener) => void listeners.push(listener),
  };
  return gate;
}
