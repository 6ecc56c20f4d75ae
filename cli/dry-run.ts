/** `import --dry-run`: what an import of each file would do. Reads the files whole, needs no service, records nothing. */
import { createReadStream } from 'node:fs';
import type { ImportFile, LookOptions } from '#cli/import-files.ts';
import { rejectText } from '#cli/import-report.ts';
import { count, plain, plural } from '#cli/output.ts';
import { type Inspection, inspectFile } from '#shared/source-records/inspect-file.ts';
import { UnreadableFile } from '#shared/source-records/unreadable-file.ts';

export type DryRun =
  | ({ readonly file: string; readonly outcome: 'ok' | 'skipped' } & Inspection)
  | { readonly file: string; readonly outcome: 'refused'; readonly reason: string };

export async function dryRun({ path, format }: ImportFile, { object, mapping }: LookOptions): Promise<DryRun> {
  try {
    const inspection = await inspectFile(createReadStream(path), {
      format,
      object: format === 'csv' ? object : undefined,
      mapping,
      fileName: path,
    });
    const { detected } = inspection;
    if (detected.outcome === 'ambiguous') return { file: path, outcome: 'refused', reason: detected.reason };
    return { file: path, outcome: detected.outcome === 'skipped' ? 'skipped' : 'ok', ...inspection };
  } catch (error) {
    if (error instanceof UnreadableFile) return { file: path, outcome: 'refused', reason: error.message };
    throw error;
  }
}

const listed = (names: readonly string[]): string => names.map(plain).join(', ');
const entry = (name: string, text: string): string[] => (text === '' ? [] : [`  ${name.padEnd(10)}${text}`]);

/** For people. */
export function dryRunText(result: DryRun): string {
  if (result.outcome === 'refused') return `${result.file}: cannot be imported. ${plain(result.reason)}`;
  const { file, detected, counts, mapped, extra, unmapped, missing, rejects, kinds, statuses, hints } = result;
  if (detected.outcome !== 'object') return `${file}: skipped. ${detected.reason}`;
  const numbers = [
    plural(counts.activities, 'activity', 'activities'),
    plural(counts.relatedRecords, 'related record'),
    ...(counts.deleted > 0 ? [`${count(counts.deleted)} of them deleted`] : []),
    `${count(counts.rejected)} rejected`,
  ];
  return [
    `${file}: ${detected.object}, ${numbers.join(', ')}`,
    ...entry('mapped', mapped.map(({ field, column }) => `${field} = ${plain(column)}`).join(', ')),
    ...entry('kept', listed(extra)),
    ...entry('not read', listed(unmapped)),
    ...entry('missing', listed(missing)),
    ...entry(
      'kinds',
      Object.entries(kinds)
        .map(([kind, number]) => `${kind} ${count(number)}`)
        .join(', '),
    ),
    ...entry(
      'statuses',
      statuses
        .map(({ status, count: number }) => `${status === '' ? '(none)' : plain(status)} ${count(number)}`)
        .join(', '),
    ),
    ...rejects.flatMap((reject) => entry('rejected', rejectText('', reject).trim())),
    ...hints.flatMap((hint) => entry('hint', plain(hint))),
  ].join('\n');
}
