/** Tells of an import while it goes on, and how it ended. */

import { CliError } from '#cli/cli-error.ts';
import type { Client } from '#cli/client.ts';
import type { SkippedFile } from '#cli/import-files.ts';
import { bytes, count, note, plain, plural, print, printJsonLine } from '#cli/output.ts';
import { type Progress, progress } from '#cli/progress.ts';
import type { ImportEvent, ImportOutcome } from '#cli/run-import.ts';
import type { SyncCounts } from '#shared/events/sync-run.ts';

/** For `tell` of runImport. `end` takes the bar away. */
export function importReporter(
  json: boolean,
  bar: Progress = progress({ json }),
): { tell(event: ImportEvent): void; end(): void } {
  let sendingSince: { readonly time: number; readonly bytes: number } | null = null;
  return {
    tell(event) {
      if (event.event === 'progress') {
        if (event.phase === 'sending') sendingSince ??= { time: performance.now(), bytes: event.bytes };
        const since = sendingSince;
        const rate = () =>
          since === null ? 0 : (event.bytes - since.bytes) / Math.max(0.001, (performance.now() - since.time) / 1000);
        bar.update(
          () => ({
            label: `${event.phase === 'reading' ? 'Reading' : 'Sending'} ${plain(event.file)}`,
            fraction: event.totalBytes === null ? null : event.bytes / Math.max(1, event.totalBytes),
            facts:
              event.totalBytes === null
                ? bytes(event.bytes)
                : `${bytes(event.bytes)} of ${bytes(event.totalBytes)}, ${bytes(rate())}/s`,
          }),
          () => ({ ...event, bytesPerSecond: Math.round(rate()) }),
        );
        return;
      }
      if (json) printJsonLine(event);
      else if (event.event === 'waiting') bar.say(`${event.reason}. Trying again in ${event.seconds} s ...`);
      else if (event.resumed)
        bar.say(
          `Going on with sync run ${event.run}, which was begun before: ${event.partsWhole} of ${plural(event.parts, 'file is', 'files are')} there already.`,
        );
    },
    end: () => bar.end(),
  };
}

const names: readonly (keyof SyncCounts)[] = [
  'received',
  'recorded',
  'revised',
  'unchanged',
  'stale',
  'deleted',
  'rejected',
];

export const totalsText = (totals: SyncCounts): string =>
  names.map((name) => `${name} ${count(totals[name])}`).join(', ');

const noTotals: SyncCounts = { received: 0, recorded: 0, revised: 0, unchanged: 0, stale: 0, deleted: 0, rejected: 0 };

/** The last line of --json, always. `outcome` is null where no file was left to import. */
export function printDone(
  outcome: ImportOutcome | null,
  more: { readonly source: string; readonly tenant: string | null; readonly skipped: readonly SkippedFile[] },
): void {
  const { run = null, resumed = false, totals = noTotals, position = null } = outcome ?? {};
  printJsonLine({
    event: 'done',
    run,
    ...totals,
    resumed,
    source: more.source,
    tenant: more.tenant,
    skipped: more.skipped,
    position,
  });
}

interface Reject {
  readonly part: number;
  readonly line: number | null;
  readonly sourceId: string | null;
  readonly reason: string;
}

const shownRejects = 5;

export async function reportImport(client: Client, outcome: ImportOutcome, files: readonly string[]): Promise<void> {
  const { run, totals, position } = outcome;
  print(totalsText(totals));
  print(`Sync run ${run} is complete, position ${position ?? 'unknown'}.`);
  if (!outcome.visible)
    note('The listing does not show all of it yet; it follows. "cool-mint status" says how far it is.');
  if (totals.rejected === 0) return;
  const path = `/api/v1/sync-runs/${run}/rejects`;
  print(
    `${plural(totals.rejected, 'record was', 'records were')} rejected; each with line and reason: GET ${path}, or as CSV: GET ${path}.csv`,
  );
  try {
    const { body } = await client.call<{ readonly data: readonly Reject[] }>(path, {
      query: new URLSearchParams({ limit: String(shownRejects) }),
      minPosition: position,
      waitSeconds: 10,
    });
    for (const reject of body.data) print(`  ${rejectText(files[reject.part - 1] ?? `part ${reject.part}`, reject)}`);
    if (totals.rejected > body.data.length) print(`  and ${count(totals.rejected - body.data.length)} more`);
  } catch (error) {
    // The import itself went well; reading the rejects may need another permission.
    if (!(error instanceof CliError)) throw error;
    note(`The rejected records could not be read: ${error.message}`);
  }
}

export function rejectText(
  file: string,
  {
    line,
    sourceId,
    reason,
  }: { readonly line: number | null; readonly sourceId: string | null; readonly reason: string },
): string {
  const place = line === null ? file : `${file} line ${line}`;
  return plain(`${place}${sourceId === null ? '' : ` (${sourceId})`}: ${reason}`);
}
