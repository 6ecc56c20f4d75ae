/** `cool-mint rebuild`: build a projection anew from the log, and watch it. */
import { setTimeout } from 'node:timers/promises';
import { Argument, type Command } from 'commander';
import { CliError } from '#cli/cli-error.ts';
import type { Client } from '#cli/client.ts';
import { cliConfig } from '#cli/config.ts';
import { findService } from '#cli/find-service.ts';
import { count, note, plain, print, printJsonLine } from '#cli/output.ts';
import { type Progress, progress } from '#cli/progress.ts';
import { keepTrying } from '#cli/retry.ts';
import type { ProjectionRow } from '#cli/status.ts';
import { verb } from '#cli/verb.ts';
import { fractionOf } from '#shared/event-log/position.ts';
import { type ProjectionName, projectionName } from '#shared/events/projection.ts';

interface RebuildOptions {
  readonly reason?: string;
  readonly json?: true;
}

interface Rebuild {
  readonly id: string;
  readonly status: 'running' | 'completed' | 'cancelled' | 'failed';
  readonly fromGeneration: number | null;
  readonly toGeneration: number | null;
  readonly events: number | null;
  readonly seconds: number | null;
  readonly error: string | null;
}

/** The one that tells of rebuilds is first: where the log was exchanged it tells of none before it is rebuilt itself. */
const all: readonly ProjectionName[] = [
  'operations',
  ...projectionName.options.filter((name) => name !== 'operations'),
];
const pollMilliseconds = 300;
const patience = 30;

export function rebuildVerb(): Command {
  return verb('rebuild', 'Build a projection anew from the log, beside the live one, and swap', [
    'rebuild catalog --reason "after the fix of #12"',
    'rebuild all',
  ])
    .addArgument(new Argument('<projection>', 'which').choices([...projectionName.options, 'all']))
    .option('--reason <text>', 'why; it is recorded')
    .action((name: ProjectionName | 'all', options: RebuildOptions) => rebuild(name, options));
}

async function rebuild(
  wanted: ProjectionName | 'all',
  { reason = null, json = false }: { reason?: string | null; json?: boolean },
): Promise<void> {
  const { client } = await findService(cliConfig());
  const bar = progress({ json });
  let running: string | null = null;
  const interrupted = () => {
    bar.end();
    note(
      running === null
        ? '\nStopped.'
        : `\nThe rebuild of ${running} goes on in the service; "cool-mint status" shows how far it is.`,
    );
    process.exit(130);
  };
  process.once('SIGINT', interrupted);
  try {
    for (const name of wanted === 'all' ? all : [wanted]) {
      const { body, position } = await client.call<{ id: string }>(`/api/v1/projections/${name}/rebuilds`, {
        method: 'POST',
        body: { reason },
      });
      running = name;
      if (json) printJsonLine({ event: 'started', projection: name, id: body.id });
      const ended = await follow(client, name, body.id, position, bar);
      running = null;
      bar.end();
      if (json) printJsonLine({ event: 'done', ...ended });
      if (ended.status !== 'completed')
        throw new CliError(
          `The rebuild of ${name} was ${ended.status === 'failed' ? `not finished: ${plain(ended.error ?? 'failed')}` : 'cancelled'}. The live view is as it was.`,
        );
      if (!json) print(endText(name, ended));
    }
  } finally {
    bar.end();
    process.off('SIGINT', interrupted);
  }
}

const endText = (name: string, { fromGeneration, toGeneration, events, seconds }: Rebuild): string =>
  `${name}: generation ${fromGeneration ?? '?'} → ${toGeneration ?? '?'}, ${count(events ?? 0)} events in ${(seconds ?? 0).toFixed(1)} s.`;

async function follow(
  client: Client,
  name: string,
  id: string,
  minPosition: string | null,
  bar: Progress,
): Promise<Rebuild> {
  const began = performance.now();
  for (;;) {
    // The view that tells of it may be the one that is swapped: a moment's absence ends nothing.
    const { body } = await keepTrying(
      () => client.call<Rebuild>(`/api/v1/projections/${name}/rebuilds/${id}`, { minPosition, waitSeconds: 10 }),
      {
        seconds: patience,
        connection: true,
        onWait: (reason) => bar.say(`${reason}. Waiting ...`),
      },
    );
    if (body.status !== 'running') return body;
    const row = (await client.call<{ data: readonly ProjectionRow[] }>('/api/v1/projections')).body.data.find(
      (each) => each.name === name,
    );
    const seconds = (performance.now() - began) / 1000;
    const fraction = row?.rebuild ? fractionOf(row.rebuild.position, row.checkpoint.position) : null;
    bar.update(
      () => ({
        label: `Rebuilding ${name}`,
        fraction,
        facts: `${seconds.toFixed(0)} s${row?.rebuild?.time ? `, at ${row.rebuild.time}` : ''}`,
      }),
      () => ({
        event: 'progress',
        projection: name,
        id,
        fraction,
        seconds: Number(seconds.toFixed(1)),
        position: row?.rebuild?.position ?? null,
      }),
    );
    await setTimeout(pollMilliseconds);
  }
}
