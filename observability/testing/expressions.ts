/** Every expression that the project has Prometheus evaluate, and where it stands. */
import { readdir, readFile } from 'node:fs/promises';
import { parse, parseAllDocuments } from 'yaml';
import { dashboard } from '../dashboards/dashboard.ts';
import { dashboardSpecs } from '../dashboards/dashboards.ts';

export interface NamedExpression {
  /** "health: Errors", "alert ServiceDown". */
  readonly where: string;
  readonly expr: string;
  readonly kind: 'panel' | 'recording' | 'alert' | 'autoscaler' | 'document';
  /** Of a panel: the name of a series, with labels in double braces. */
  readonly legend?: string;
}

export interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const prometheus = new URL('../prometheus/', import.meta.url);

/** The YAML files of a folder, whose form promtool checks. */
export async function yamlIn<T>(folder: 'rules' | 'tests'): Promise<T[]> {
  const files = (await readdir(new URL(`${folder}/`, prometheus))).sort();
  return Promise.all(
    files.map(async (file) => parse(await readFile(new URL(`${folder}/${file}`, prometheus), 'utf8')) as T),
  );
}

export async function rules(): Promise<Rule[]> {
  const files = await yamlIn<{ groups: { rules: Rule[] }[] }>('rules');
  return files.flatMap(({ groups }) => groups.flatMap((group) => group.rules));
}

interface Target {
  readonly expr?: string;
  readonly legendFormat?: string;
  readonly datasource?: { readonly uid: string };
}

interface Scaled {
  readonly spec?: { readonly triggers?: readonly { readonly metadata: { readonly query: string } }[] };
}

async function autoscalers(): Promise<NamedExpression[]> {
  const folder = new URL('../../deploy/kubernetes/', import.meta.url);
  const files = (await readdir(folder)).filter((file) => file.endsWith('.yaml'));
  const found: NamedExpression[] = [];
  for (const file of files)
    for (const document of parseAllDocuments(await readFile(new URL(file, folder), 'utf8')))
      for (const { metadata } of (document.toJS() as Scaled | null)?.spec?.triggers ?? [])
        found.push({ where: `deploy/kubernetes/${file}`, expr: metadata.query, kind: 'autoscaler' });
  return found;
}

/** Blocks of PromQL. */
async function documented(): Promise<NamedExpression[]> {
  const docs = new URL('../../docs/', import.meta.url);
  const files = ['monitoring.md', ...(await readdir(new URL('operations/', docs))).map((file) => `operations/${file}`)];
  const texts = await Promise.all(files.map((file) => readFile(new URL(file, docs), 'utf8')));
  return texts.flatMap((text, index) =>
    [...text.matchAll(/^```promql\n(.*?)\n```$/gms)].map(
      ([, expr = '']): NamedExpression => ({ where: `docs/${files[index]}`, expr, kind: 'document' }),
    ),
  );
}

export async function expressions(): Promise<NamedExpression[]> {
  const panels = dashboardSpecs.flatMap((spec) =>
    (dashboard(spec).panels ?? []).flatMap((panel) =>
      ('targets' in panel ? ((panel.targets ?? []) as Target[]) : [])
        .filter(({ datasource }) => datasource?.uid === 'prometheus')
        .map(
          ({ expr = '', legendFormat = '' }): NamedExpression => ({
            where: `${spec.name}: ${panel.title}`,
            expr,
            kind: 'panel',
            legend: legendFormat,
          }),
        ),
    ),
  );
  const ofRules = (await rules()).map(
    ({ alert, record, expr }): NamedExpression =>
      alert ? { where: `alert ${alert}`, expr, kind: 'alert' } : { where: `record ${record}`, expr, kind: 'recording' },
  );
  return [...panels, ...ofRules, ...(await autoscalers()), ...(await documented())];
}
