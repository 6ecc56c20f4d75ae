/** `cool-mint export`: the content of a selection, as a document. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CliError } from '#cli/cli-error.ts';
import { cliConfig } from '#cli/config.ts';
import { findService } from '#cli/find-service.ts';
import { bytes, note, printJson } from '#cli/output.ts';
import { saveDownload } from '#cli/save-download.ts';
import { tenantFlag, tenantText, verb } from '#cli/verb.ts';
import { exportFormat } from '#shared/events/selection.ts';

interface ExportOptions {
  readonly format: string;
  readonly out: string;
  readonly tenant?: string;
  readonly json?: true;
}

export function exportVerb(): Command {
  return verb('export', 'Hand a selection out as a document; it is recorded who did, and what', [
    'export 0193b2c4-… --format markdown --out calls.md',
    'export 0193b2c4-… --format ndjson | head -1',
  ])
    .argument('<selection>', 'id of the selection', (text: string) => {
      // It becomes part of an address.
      if (!/^[0-9a-f-]{36}$/i.test(text))
        throw new InvalidArgumentError('Expected the id of a selection, as "cool-mint select" prints it.');
      return text;
    })
    .addOption(new Option('--format <format>', 'of the document').choices(exportFormat.options).default('markdown'))
    .option('--out <file>', 'where to; - is standard output', '-')
    .option(tenantFlag, tenantText)
    .action((id: string, options: ExportOptions) => exportSelection(id, options));
}

async function exportSelection(id: string, { format, out, tenant, json }: ExportOptions): Promise<void> {
  if (json && out === '-')
    throw new CliError(
      'With --json the document needs a file: --out selection.md. Or leave --json out; --format ndjson is for machines.',
    );
  const { client } = await findService(cliConfig(), { tenant });
  const saved = await saveDownload(
    await client.download(`/api/v1/selections/${id}/exports`, { method: 'POST', body: { format } }),
    out,
  );
  if (json) printJson({ selection: id, format, ...saved });
  else if (saved.file !== null) note(`Wrote ${saved.file}, ${bytes(saved.bytes)}, ${saved.digest}.`);
}
