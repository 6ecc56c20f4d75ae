/** The five dashboards as the files that Grafana reads: `npm run docs` writes them, a test holds them to this. */
import type { Dashboard } from '@grafana/schema';
import { commands } from './commands.ts';
import { dashboard } from './dashboard.ts';
import { health } from './health.ts';
import { projections } from './projections.ts';
import { queries } from './queries.ts';
import { sync } from './sync.ts';

export const dashboardSpecs = [health, commands, projections, queries, sync];

export const dashboards: readonly { readonly file: URL; readonly content: Dashboard }[] = dashboardSpecs.map(
  (spec) => ({
    file: new URL(`../grafana/dashboards/${spec.name}.json`, import.meta.url),
    content: dashboard(spec),
  }),
);
