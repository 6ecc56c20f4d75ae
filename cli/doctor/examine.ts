/** Runs checks at once, each within a time, and gives what they find in the order in which they are listed. */
import { CliError } from '#cli/cli-error.ts';
import { type Check, type Finding, failed, type Group, NotThere, skipped } from '#cli/doctor/check.ts';
import { SetupError } from '#shared/errors/setup-error.ts';
import { TimedOut, within } from '#shared/runtime/within.ts';

/** Longer than it takes to open a server and to wait for something to move. */
const checkMilliseconds = 20_000;

export interface Report extends Finding {
  readonly group: Group;
  readonly check: string;
}

export async function* examine(checks: readonly Check[]): AsyncGenerator<Report> {
  const running = checks.map((check) => ({ check, found: find(check) }));
  for (const { check, found } of running) yield { group: check.group, check: check.name, ...(await found) };
}

async function find(check: Check): Promise<Finding> {
  try {
    return await within(checkMilliseconds, check.run());
  } catch (error) {
    if (error instanceof NotThere) return skipped(error.message);
    // These say themselves what to do.
    if (error instanceof SetupError || error instanceof CliError) return failed(error.message);
    if (error instanceof TimedOut)
      return failed(error.message, 'Look at the network on the way, and at what the server is busy with.');
    const { message, code } = error as NodeJS.ErrnoException;
    return failed(`${message.replace(/\S*@/g, '…@') || 'it failed'}${code ? ` (${code})` : ''}`);
  }
}
