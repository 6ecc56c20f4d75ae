/** How far long work is: a bar on a terminal, JSON lines where machines read, else silence. */
import { note, plural, printJsonLine } from '#cli/output.ts';
import { shorten } from '#cli/table.ts';

/** What a line of progress says; `done` of `total`, or null where nobody knows. */
export interface ProgressState {
  readonly label: string;
  readonly fraction: number | null;
  /** Figures behind the bar. */
  readonly facts: string;
}

const barWidth = 24;

export function progressText({ label, fraction, facts }: ProgressState, screen: number): string {
  if (fraction === null) return shorten(`${label}  ${facts}`, screen);
  const part = Math.min(1, Math.max(0, fraction));
  const full = Math.floor(part * barWidth);
  const percent = `${Math.floor(part * 100)}`.padStart(3);
  return shorten(`${label}  [${'#'.repeat(full)}${'.'.repeat(barWidth - full)}] ${percent} %  ${facts}`, screen);
}

export interface Progress {
  /** `machine` is what the JSON line says. Called as often as one likes; shown at a bearable rate, or `always`. */
  update(state: () => ProgressState, machine: () => object, always?: boolean): void;
  /** A line between, without disturbing the bar. */
  say(line: string): void;
  end(): void;
}

const machineMilliseconds = 1_000;
const terminalMilliseconds = 100;

/** `json`: lines on standard output. `terminal`: where the bar is drawn, null where there is none. */
export function progress({
  json,
  terminal = process.stderr.isTTY ? process.stderr : null,
  now = () => performance.now(),
}: {
  readonly json: boolean;
  readonly terminal?: { readonly columns?: number; write(text: string): unknown } | null;
  readonly now?: () => number;
}): Progress {
  let last = Number.NEGATIVE_INFINITY;
  let drawn = false;
  const clear = () => {
    if (drawn) terminal?.write('\r\u001b[K');
    drawn = false;
  };
  return {
    update(state, machine, always = false) {
      const time = now();
      if (!always && time - last < (json ? machineMilliseconds : terminalMilliseconds)) return;
      if (json) printJsonLine(machine());
      else if (terminal) {
        terminal.write(`\r\u001b[K${progressText(state(), (terminal.columns || 80) - 1)}`);
        drawn = true;
      } else return;
      last = time;
    },
    say(line) {
      clear();
      note(line);
    },
    end: clear,
  };
}

/** Shows work that counts events, in phases, each of which is shown at least once; `labels` is what people read of them. */
export function eventsOn<Phase extends string>(
  bar: Progress,
  labels: Readonly<Record<Phase, string>>,
): (progress: { readonly phase: Phase; readonly events: number; readonly fraction: number }) => void {
  const began = performance.now();
  const width = Math.max(...Object.values<string>(labels).map(({ length }) => length));
  let shown: Phase | null = null;
  return ({ phase, events, fraction }) => {
    const begins = phase !== shown;
    shown = phase;
    bar.update(
      () => ({
        label: labels[phase].padEnd(width),
        fraction,
        facts: `${plural(events, 'event')}, ${((performance.now() - began) / 1000).toFixed(0)} s`,
      }),
      () => ({ event: 'progress', phase, events, fraction: Number(fraction.toFixed(4)) }),
      begins,
    );
  };
}
