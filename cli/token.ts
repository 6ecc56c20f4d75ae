/** `cool-mint token`: a token of this machine. */
import { type Command, InvalidArgumentError } from 'commander';
import { CliError } from '#cli/cli-error.ts';
import { cliConfig } from '#cli/config.ts';
import { signToken } from '#cli/find-service.ts';
import { print, printJson } from '#cli/output.ts';
import { collectList, tenantFlag, verb } from '#cli/verb.ts';
import { permission } from '#shared/access/permissions.ts';

interface TokenOptions {
  readonly tenant: string;
  readonly permissions?: readonly string[];
  readonly actor: string;
  readonly name?: string;
  readonly hours: number;
  readonly json?: true;
}

const mostHours = 24 * 366;

export function tokenVerb(): Command {
  return verb('token', 'Print a token of this machine, for curl and scripts', [
    'token --tenant demo',
    'token --permissions activities:read,selections:read --hours 1',
  ])
    .option(tenantFlag, 'whose data it is for', 'main')
    .option('--permissions <list>', `with commas (default: all): ${permission.options.join(', ')}`, collectList)
    .option('--actor <id>', 'who acts with it, as the audit trail shows for ever: an id, not a name', 'local-user')
    .option('--name <name>', 'the name beside it (default: that of the user of this machine)')
    .option('--hours <number>', 'how long it is valid', hours, 12)
    .action((options: TokenOptions) => token(options));
}

function hours(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value <= 0 || value > mostHours)
    throw new InvalidArgumentError(`Expected hours, more than 0 and at most ${mostHours}.`);
  return value;
}

async function token({ tenant, permissions, actor, name, hours: valid, json }: TokenOptions): Promise<void> {
  const unknown = permissions?.filter((each) => !permission.safeParse(each).success) ?? [];
  if (unknown.length > 0)
    throw new CliError(
      `There is no permission ${unknown.map((each) => `"${each}"`).join(', ')}. There are: ${permission.options.join(', ')}.`,
    );
  if (actor.trim() === '' || actor.length > 200) throw new CliError('--actor needs 1 to 200 characters.');
  const expiresAt = new Date(Date.now() + valid * 3_600_000).toISOString();
  const signed = await signToken(cliConfig().dataDir, { tenant, permissions, actor, name, hours: valid });
  if (json) printJson({ token: signed, tenant, actor, permissions: permissions ?? permission.options, expiresAt });
  else print(signed);
}
