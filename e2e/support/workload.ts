/**
 * A random workload from a seed, through HTTP alone: tenants work side by side, each importing and selecting as
 * people and scripts do, refusals included. What a command answers is only looked at where the next one needs it:
 * whether the outcome is right is for the oracle to say.
 */
import { random } from '#shared/demo/random.ts';
import { activityId } from '#shared/events/stream-name.ts';
import type { Answer, Api } from './api.ts';
import { csvOf, type ImportFile, importFiles, ndjsonOf, sendPart, startRun } from './import-files.ts';
import { ids, type RelatedObject, references, type SourceData, searchWords, sourceData } from './source-data.ts';

export interface WorkloadOptions {
  readonly seed: number;
  /** How often each tenant does something. */
  readonly rounds: number;
  /** Different tasks of a tenant, at most. */
  readonly tasks: number;
}

const kinds = ['call', 'email', 'meeting', 'task', 'note'] as const;
const lineSource = 'ndjson:dialer';
const lines = 25;

export function randomFilter({ draw }: Pick<SourceData, 'draw'>, selections: readonly string[]): object {
  const parts: object[] = [
    { kind: [draw.pick(kinds), draw.pick(kinds)] },
    { status: ['Completed', null] },
    { closed: draw.chance(0.5) },
    { priority: ['High', 'Low'] },
    { owner: [ids.user(draw.below(references.user)), null] },
    { account: [ids.account(draw.below(references.account)), ids.account(draw.below(references.account))] },
    { account: [null] },
    { contact: [ids.contact(draw.below(references.contact))] },
    { direction: ['inbound', null] },
    { outcome: ['answered', 'no answer'] },
    { occurredAt: { gte: '2026-01-20T00:00:00Z', lt: '2026-03-01T12:30:00+02:00' } },
    { dueOn: { gt: '2026-02-01', lte: '2026-03-15' } },
    { dueOn: { null: true } },
    { selected: draw.chance(0.5) },
    { text: draw.pick(searchWords) },
    { text: `${draw.pick(searchWords)} -${draw.pick(searchWords)}` },
    ...(selections.length > 0 ? [{ selection: draw.pick(selections) }] : []),
  ];
  return { ...draw.pick(parts), ...(draw.chance(0.4) ? draw.pick(parts) : {}) };
}

function files(data: SourceData, pace: number, tasks: number): { source: string; files: ImportFile[] } {
  const { draw } = data;
  const many = (n: number, make: (index: number) => Record<string, string>, of: number) =>
    csvOf(Array.from({ length: 1 + draw.below(n) }, () => make(draw.below(of))));
  const related = (object: RelatedObject): ImportFile => ({
    object,
    text: many(
      12,
      (index) => data.related(object, index, pace),
      references[object.toLowerCase() as Lowercase<RelatedObject>],
    ),
  });
  if (draw.chance(0.25)) {
    const text = ndjsonOf(Array.from({ length: 1 + draw.below(40) }, () => data.line(draw.below(lines), pace)));
    const records = [
      { type: 'contact', id: `c${draw.below(4)}`, name: `Contact ${pace}`, accountId: `a${draw.below(4)}` },
      { type: 'account', id: `a${draw.below(4)}`, name: 'nul \u0000 account', deleted: draw.chance(0.1) },
    ];
    return { source: lineSource, files: [{ object: null, text: text + ndjsonOf(records) }] };
  }
  const all: ImportFile[] = [
    { object: 'Task', text: many(60, (index) => data.task(index, pace), tasks) },
    ...(draw.chance(0.5) ? [{ object: 'Event', text: many(15, (index) => data.event(index, pace), 20) }] : []),
    ...(['User', 'Account', 'Contact', 'Lead', 'Opportunity', 'Case'] as const).flatMap((object) =>
      draw.chance(0.35) ? [related(object)] : [],
    ),
  ];
  return { source: 'salesforce', files: all.sort(() => draw.next() - 0.5) };
}

/** Runs it; answers the selections that were opened. Throws where the interface answers with an error of its own. */
export async function runWorkload(api: Api, { seed, rounds, tasks }: WorkloadOptions): Promise<string[]> {
  const data = sourceData(seed);
  const { draw } = data;
  const selections: string[] = [];
  let last = '';

  const said = async (answer: Promise<Answer>): Promise<Answer> => {
    const { status, body, position } = await answer;
    if (status >= 500 || status === 400) throw new Error(`answered ${status}: ${JSON.stringify(body).slice(0, 1_000)}`);
    if (position > last) last = position;
    return answer;
  };
  const behind = () => ({ 'Cool-Mint-Min-Position': last });
  const someIds = () =>
    Array.from({ length: 1 + draw.below(12) }, () => activityId(api.tenant, 'salesforce', ids.task(draw.below(tasks))));
  /** Ids that can be selected: those that the refusal names are left out, as a person would. */
  const selectIds = async (send: (chosen: object) => Promise<Answer>) => {
    const chosen = [...new Set(someIds())];
    const first = await said(send({ ids: chosen }));
    if (first.status !== 422) return;
    const refused = new Set((first.body.errors ?? []).map((error: { field: string }) => error.field));
    const rest = chosen.filter((id) => !refused.has(id));
    if (rest.length > 0) await said(send({ ids: rest.map((id) => (draw.chance(0.5) ? id : { id, revision: 0 })) }));
  };

  const actions: (readonly [() => Promise<unknown>, number])[] = [
    [
      async () => {
        const { source, files: made } = files(data, draw.below(rounds), tasks);
        const mode = draw.pick(['partial', 'partial', 'partial', 'incremental', 'full'] as const);
        const mapping = source === 'salesforce' && draw.chance(0.1) ? { sourceModifiedAt: 'SystemModstamp' } : {};
        last = (await importFiles(api, made, { source, mode, mapping })).position;
      },
      5,
    ],
    [
      async () => {
        const { source, files: made } = files(data, draw.below(rounds), tasks);
        const run = (await api.ok(startRun(api, made, { source }))).body.id;
        await api.ok(sendPart(api, run, 1, made[0] as ImportFile));
        await said(api.post(`/sync-runs/${run}/cancel`, { reason: 'a \u0000 reason' }));
      },
      0.5,
    ],
    [
      async () => {
        const opened = await said(
          api.post('/selections', { name: `Sel ${draw.below(99)}`, purpose: draw.chance(0.3) ? 'p\u0000q' : null }),
        );
        selections.push(opened.body.id);
      },
      1.5,
    ],
    [
      async () => {
        const send = { name: 'At once', filter: randomFilter(data, selections) };
        const made = await said(api.post('/activities/selection', send, behind()));
        if (made.status === 201) selections.push(made.body.id);
      },
      1,
    ],
  ];
  const onSelection: (readonly [(path: string) => Promise<unknown>, number])[] = [
    [(path) => selectIds((chosen) => api.post(`${path}/activities`, chosen, behind())), 4],
    [(path) => said(api.post(`${path}/activities`, { filter: randomFilter(data, selections) }, behind())), 2],
    [
      (path) =>
        said(
          api.post(`${path}/activities`, {
            filter: randomFilter(data, selections),
            exclude: someIds(),
            expectedCount: 3,
          }),
        ),
      0.5,
    ],
    [(path) => said(api.post(`${path}/activities/remove`, { ids: someIds() })), 2],
    [(path) => said(api.post(`${path}/activities/remove`, { filter: randomFilter(data, selections) }, behind())), 1],
    [
      (path) => said(api.patch(path, { name: `Name ${draw.below(5)} \u0000`, purpose: `Purpose ${draw.below(3)}` })),
      1.5,
    ],
    [(path) => said(api.post(`${path}/freeze`)), 0.8],
    [(path) => said(api.post(`${path}/discard`, { reason: 'no longer wanted' })), 0.8],
    [(path) => said(api.post(`${path}/reopen`)), 1],
    [
      async (path) => {
        const copy = await said(api.post(`${path}/copy`, draw.chance(0.5) ? { name: 'A copy' } : undefined));
        if (copy.status === 201) selections.push(copy.body.id);
      },
      0.6,
    ],
    [(path) => said(api.post(`${path}/exports`, { format: draw.pick(['markdown', 'ndjson', 'csv']) })), 1],
    [(path) => said(api.post(`${path}/shares`, { recipient: 'b\u0000b@example.com', model: 'm-1', note: 'n' })), 1],
  ];

  for (let round = 0; round < rounds; round++) {
    if (selections.length === 0 || draw.chance(0.4)) await draw.weighted(actions)();
    else await draw.weighted(onSelection)(`/selections/${draw.pick(selections)}`);
  }
  return selections;
}

/** Distinct, repeatable seeds for tenants. */
export const seedOf = (seed: number, tenant: number): number => random(seed, tenant).below(2 ** 30);
