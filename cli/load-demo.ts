/** Loads generated data into the tenant of a client, through the same path as any import. Safe to repeat: it goes on. */

import { CliError } from '#cli/cli-error.ts';
import type { Client } from '#cli/client.ts';
import { encoded, type ImportEvent, type ImportOutcome, runImport } from '#cli/run-import.ts';
import { type DemoOptions, demoFiles } from '#shared/demo/demo-files.ts';

export interface LoadDemoRequest {
  readonly client: Client;
  readonly activities: number;
  readonly seed: number;
  /** The date, as YYYY-MM-DD, that the activities reach up to. */
  readonly until?: string | undefined;
  /** Called for every chunk; throttle what is shown. */
  readonly progress?: ((event: ImportEvent) => void) | undefined;
}

export const demoSource = 'salesforce';

export async function loadDemo({ client, activities, seed, until, progress }: LoadDemoRequest): Promise<ImportOutcome> {
  const parts = checkedDemoFiles({ activities, seed, ...(until === undefined ? {} : { until }) }).map(
    ({ object, fileName, rows }) => ({
      label: fileName,
      object,
      format: 'csv' as const,
      bytes: () => encoded(rows()),
    }),
  );
  return runImport({ client, source: demoSource, mode: 'partial', mapping: {}, parts, tell: progress });
}

/** Throws CliError for options that make no sense. */
export function checkedDemoFiles(options: DemoOptions): ReturnType<typeof demoFiles> {
  try {
    return demoFiles(options);
  } catch (error) {
    if (error instanceof RangeError) throw new CliError(`Demo data: ${error.message}.`);
    throw error;
  }
}
