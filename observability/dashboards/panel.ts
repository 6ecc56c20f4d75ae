/** Panels of a dashboard, as little of Grafana's model as five dashboards need. Each says what good is. */
import {
  type FieldConfigSource,
  type GridPos,
  type Panel,
  type RowPanel,
  type Threshold,
  ThresholdsMode,
} from '@grafana/schema';

/** The names that observability/grafana/provisioning/datasources gives them. */
export const datasources = {
  prometheus: { type: 'prometheus', uid: 'prometheus' },
  loki: { type: 'loki', uid: 'loki' },
} as const;

export interface Query {
  readonly expr: string;
  /** With labels in double braces. */
  readonly legend?: string;
  /** Points that lead to a trace. */
  readonly exemplars?: true;
}

/** A unit of Grafana: https://github.com/grafana/grafana/blob/main/packages/grafana-data/src/valueFormats/categories.ts */
export type Unit = 's' | 'percentunit' | 'short' | 'reqps' | 'ops' | 'bytes' | 'none';

interface PanelOptions {
  readonly title: string;
  /** What it shows, and what good is. */
  readonly description: string;
  readonly queries: readonly Query[];
  readonly unit: Unit;
  /** Good below the first, bad from the second on; where rising is good, the other way round. */
  readonly thresholds?: { readonly warn: number; readonly bad: number };
  /** Of 24. */
  readonly width: number;
}

/** Made when its place is known. */
export interface PanelSpec {
  readonly width: number;
  readonly height: number;
  at(id: number, gridPos: GridPos): Panel | RowPanel;
}

function thresholdSteps({ thresholds }: PanelOptions): Threshold[] {
  // Grafana's first step has no value, which JSON tells by null.
  const from = (value: number | null, color: string) => ({ value: value as number, color });
  if (!thresholds) return [from(null, 'green')];
  const { warn, bad } = thresholds;
  return warn < bad
    ? [from(null, 'green'), from(warn, 'orange'), from(bad, 'red')]
    : [from(null, 'red'), from(bad, 'orange'), from(warn, 'green')];
}

const targetsOf = (queries: readonly Query[], instant: boolean) =>
  queries.map(({ expr, legend, exemplars }, index) => ({
    refId: String.fromCharCode('A'.charCodeAt(0) + index),
    datasource: datasources.prometheus,
    expr,
    legendFormat: legend ?? '__auto',
    ...(instant ? { instant: true, range: false } : { range: true }),
    ...(exemplars ? { exemplar: true } : {}),
  }));

const fields = (options: PanelOptions, custom: Record<string, unknown>): FieldConfigSource => ({
  defaults: {
    unit: options.unit,
    thresholds: { mode: ThresholdsMode.Absolute, steps: thresholdSteps(options) },
    custom,
  },
  overrides: [],
});

/** One number, coloured by how good it is. */
export const stat = (options: PanelOptions): PanelSpec => ({
  width: options.width,
  height: 4,
  at: (id, gridPos) => ({
    id,
    gridPos,
    type: 'stat',
    title: options.title,
    description: options.description,
    datasource: datasources.prometheus,
    targets: targetsOf(options.queries, false),
    fieldConfig: fields(options, {}),
    options: {
      colorMode: 'background',
      graphMode: 'area',
      textMode: 'auto',
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    },
  }),
});

/** Lines over time; with thresholds the area above (or below) them is marked. */
export const lines = (options: PanelOptions & { readonly stacked?: true }): PanelSpec => ({
  width: options.width,
  height: 8,
  at: (id, gridPos) => ({
    id,
    gridPos,
    type: 'timeseries',
    title: options.title,
    description: options.description,
    datasource: datasources.prometheus,
    targets: targetsOf(options.queries, false),
    fieldConfig: fields(options, {
      fillOpacity: options.stacked ? 25 : 5,
      showPoints: 'never',
      stacking: { mode: options.stacked ? 'normal' : 'none' },
      thresholdsStyle: { mode: options.thresholds ? 'line' : 'off' },
    }),
    options: {
      legend: { displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'] },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  }),
});

/** What is so now, a row for each series. */
export const table = (options: PanelOptions & { readonly hide: readonly string[] }): PanelSpec => ({
  width: options.width,
  height: 7,
  at: (id, gridPos) => ({
    id,
    gridPos,
    type: 'table',
    title: options.title,
    description: options.description,
    datasource: datasources.prometheus,
    targets: targetsOf(options.queries, true).map((target) => ({ ...target, format: 'table' })),
    fieldConfig: fields(options, {}),
    transformations: [
      {
        id: 'organize',
        options: { excludeByName: Object.fromEntries(['Time', 'Value', ...options.hide].map((name) => [name, true])) },
      },
    ],
    options: { showHeader: true },
  }),
});

/** Which state each is in, over time. */
export const states = (options: PanelOptions): PanelSpec => ({
  width: options.width,
  height: 8,
  at: (id, gridPos) => ({
    id,
    gridPos,
    type: 'state-timeline',
    title: options.title,
    description: options.description,
    datasource: datasources.prometheus,
    targets: targetsOf(options.queries, false),
    fieldConfig: fields(options, { fillOpacity: 80 }),
    options: { showValue: 'never', mergeValues: true, legend: { displayMode: 'list', placement: 'bottom' } },
  }),
});

/** Lines of the log, by LogQL; each with its trace leads to Tempo. */
export const logs = (options: {
  readonly title: string;
  readonly description: string;
  readonly expr: string;
}): PanelSpec => ({
  width: 24,
  height: 8,
  at: (id, gridPos) => ({
    id,
    gridPos,
    type: 'logs',
    title: options.title,
    description: options.description,
    datasource: datasources.loki,
    targets: [{ refId: 'A', datasource: datasources.loki, expr: options.expr, queryType: 'range' }],
    fieldConfig: { defaults: {}, overrides: [] },
    options: { showTime: true, wrapLogMessage: true, enableLogDetails: true, sortOrder: 'Descending' },
  }),
});

/** A heading over what follows. */
export const heading = (title: string): PanelSpec => ({
  width: 24,
  height: 1,
  at: (id, gridPos) => ({ id, gridPos, type: 'row', title, collapsed: false, panels: [] }),
});
