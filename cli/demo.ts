/** `cool-mint demo`: generated activities, into a tenant or into files. */
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { CliError } from '#cli/cli-error.ts';
import { cliConfig } from '#cli/config.ts';
import { findService } from '#cli/find-service.ts';
import { importReporter, printDone, reportImport } from '#cli/import-report.ts';
import { checkedDemoFiles, demoSource, loadDemo } from '#cli/load-demo.ts';
import { bytes, count, print, printJson } from '#cli/output.ts';
import { progress } from '#cli/progress.ts';
import { encoded } from '#cli/run-import.ts';
import { tenantFlag, verb, wholeNumber } from '#cli/verb.ts';

interface DemoVerbOptions {
  readonly activities: number;
  readonly seed: number;
  readonly until?: string;
  readonly out?: string;
  readonly force?: true;
  readonly tenant?: string;
  readonly json?: true;
}

const demoTenant = 'demo';

export function demoVerb(): Command {
  return verb('demo', 'Generate demo data: the same options give the same data', [
    'demo --activities 5000 --seed 1',
    'demo --activities 200000 --out demo-files',
  ])
    .option('--activities <number>', 'tasks and events together', wholeNumber(0), 5_000)
    .option('--seed <number>', 'another seed makes other data', wholeNumber(0), 1)
    .option('--until <date>', 'the date that the activities reach up to, as 2026-01-31 (default: always the same)')
    .option('--out <folder>', 'write CSV files there instead of loading them')
    .option('--force', 'with --out overwrite files; else load into a tenant that is not meant for demo data')
    .option(tenantFlag, 'where to load it (default: "demo"; not with MINT_TOKEN)')
    .action((options: DemoVerbOptions) =>
      options.out === undefined ? load(options) : writeFiles(options.out, options),
    );
}

async function load(options: DemoVerbOptions): Promise<void> {
  const { activities, seed, until } = options;
  const config = cliConfig();
  checkedDemoFiles(fileOptions(options));
  const { client, tenant } = await findService(config, {
    tenant: config.token === null ? (options.tenant ?? demoTenant) : options.tenant,
  });
  // A token is easily that of real data.
  if (config.token !== null && tenant !== demoTenant && !options.force)
    throw new CliError(
      `MINT_TOKEN is for ${tenant === null ? 'an unknown tenant' : `the tenant "${tenant}"`}, not for "${demoTenant}". Demo data can never be removed from the history of a tenant; --force loads it all the same.`,
    );
  const json = options.json === true;
  const { tell, end } = importReporter(json);
  try {
    const outcome = await loadDemo({ client, activities, seed, until, progress: tell });
    end();
    if (json) return printDone(outcome, { source: demoSource, tenant, skipped: [] });
    print(
      `Loaded demo data of ${count(activities)} activities (seed ${seed}) into ${tenant === null ? "the token's tenant" : `tenant ${tenant}`}.`,
    );
    await reportImport(client, outcome, []);
  } finally {
    end();
  }
}

const fileOptions = ({ activities, seed, until }: DemoVerbOptions) => ({
  activities,
  seed,
  ...(until === undefined ? {} : { until }),
});

async function writeFiles(folder: string, options: DemoVerbOptions): Promise<void> {
  if (options.tenant !== undefined)
    throw new CliError('--tenant is for loading; with --out files are written. Leave one of the two out.');
  const files = checkedDemoFiles(fileOptions(options)).map((file) => ({
    ...file,
    target: path.join(folder, file.fileName),
  }));
  const there = files.filter(({ target }) => existsSync(target)).map(({ target }) => target);
  if (there.length > 0 && !options.force)
    throw new CliError(
      `There are files already: ${there.join(', ')}. Choose another folder, or overwrite them with --force.`,
    );
  const json = options.json === true;
  const bar = progress({ json });
  const written: { file: string; object: string; bytes: number }[] = [];
  try {
    await mkdir(folder, { recursive: true });
    for (const { object, rows, target } of files)
      written.push({ file: target, object, bytes: await writeFile(target, rows(), bar.update) });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new CliError(`The files could not be written into ${folder} (${code}). Choose another folder with --out.`);
  } finally {
    bar.end();
  }
  if (json) return printJson({ event: 'done', files: written });
  for (const { file, bytes: size } of written) print(`${file}  ${bytes(size)}`);
}

/** Whole or not at all. Answers the bytes written. */
async function writeFile(
  target: string,
  rows: Iterable<string>,
  update: ReturnType<typeof progress>['update'],
): Promise<number> {
  const unfinished = `${target}.${process.pid}.part`;
  let size = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of encoded(rows)) {
      size += chunk.length;
      update(
        () => ({ label: `Writing ${target}`, fraction: null, facts: bytes(size) }),
        () => ({ event: 'progress', phase: 'writing', file: target, bytes: size }),
      );
      yield chunk;
    }
  }
  try {
    await pipeline(Readable.from(counted(), { objectMode: false }), createWriteStream(unfinished));
    await rename(unfinished, target);
  } finally {
    await rm(unfinished, { force: true });
  }
  return size;
}
