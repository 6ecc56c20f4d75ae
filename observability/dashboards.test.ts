/** What the dashboards, rules and the autoscaler ask for, compared with what the code says that there is. */
import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { productMetrics } from '#scripts/metrics-doc.ts';
import { composed } from '../deploy/testing/compose.ts';
import { dashboards } from './dashboards/dashboards.ts';
import { expressions, rules } from './testing/expressions.ts';
import { parseExpression } from './testing/promql.ts';

const grafana = new URL('grafana/', import.meta.url);

/** Labels that Prometheus gives to what it scrapes; `namespace` in Kubernetes. */
const ofTargets = ['job', 'instance', 'namespace', 'le'];

/** By name of the series, with those of histograms. */
const labelsOf = new Map(
  productMetrics().flatMap(({ name, type, labelNames }) =>
    (String(type) === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']).map(
      (suffix) => [`${name}${suffix}`, labelNames] as const,
    ),
  ),
);

describe('the dashboards', () => {
  test('are the files in grafana/dashboards (npm run docs writes them), and no other is there', async () => {
    for (const { file, content } of dashboards)
      expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(content)));
    expect((await readdir(new URL('dashboards/', grafana))).sort()).toEqual(
      dashboards.map(({ file }) => file.pathname.split('/').at(-1)).sort(),
    );
  });

  test('are read by the Grafana whose schema they are made for, from where they are mounted', async () => {
    const { grafana: service } = (await composed('docker-compose.yml')).services;
    const { version } = JSON.parse(
      await readFile(new URL('../node_modules/@grafana/schema/package.json', import.meta.url), 'utf8'),
    );
    expect(service?.image).toBe(`grafana/grafana:${version}`);
    const { providers } = parse(await readFile(new URL('provisioning/dashboards/dashboards.yaml', grafana), 'utf8'));
    expect(service?.volumes).toContain(`./observability/grafana/dashboards:${providers[0].options.path}:ro`);
  });

  test('ask datasources that are provisioned, and links between those lead to others of them', async () => {
    const text = await readFile(new URL('provisioning/datasources/datasources.yaml', grafana), 'utf8');
    const { datasources } = parse(text) as { datasources: { uid: string; type: string; url: string }[] };
    const uids = datasources.map(({ uid }) => uid);
    for (const { content } of dashboards)
      for (const [, type, uid] of JSON.stringify(content).matchAll(/"type":"([a-z]+)","uid":"([a-z]+)"/g))
        expect(datasources.map((one) => [one.type, one.uid])).toContainEqual([type, uid]);
    const linked = [...text.matchAll(/datasourceUid: '?(\w+)/g)].map(([, uid]) => uid);
    expect(linked.length).toBeGreaterThan(2);
    for (const uid of linked) expect(uids).toContain(uid);
    const { services } = await composed('docker-compose.yml');
    for (const { url } of datasources) expect(services).toHaveProperty(new URL(url).hostname);
  });

  test('say of each panel what it shows and what good is, and do not overlap', () => {
    const taken = new Set<string>();
    for (const { content } of dashboards)
      for (const panel of content.panels ?? []) {
        const { x, y, w, h } = panel.gridPos ?? { x: 0, y: 0, w: 0, h: 0 };
        expect(x + w).toBeLessThanOrEqual(24);
        for (let column = x; column < x + w; column++)
          for (let line = y; line < y + h; line++) {
            const cell = `${content.uid} ${column} ${line}`;
            expect(taken, `${content.uid}: ${panel.title}`).not.toContain(cell);
            taken.add(cell);
          }
        if (panel.type !== 'row' && 'description' in panel) expect(panel.description, panel.title).toMatch(/\.$/);
      }
  });
});

test('every expression is PromQL, and names metrics of the code, of rules, or of what else is scraped, with labels that they have', async () => {
  const recorded = (await rules()).flatMap(({ record }) => record ?? []);
  const others = /^(up|ALERTS|(process|nodejs|node|nginx)_\w+)$/;
  for (const { where, expr } of await expressions())
    for (const { metric, matchers } of parseExpression(expr).selectors) {
      if (recorded.includes(metric) || others.test(metric)) continue;
      const labels = labelsOf.get(metric);
      expect(labels, `${where}: ${metric}`).toBeDefined();
      for (const { label } of matchers)
        expect([...ofTargets, ...(labels ?? [])], `${where}: ${metric}`).toContain(label);
    }
});

test('codes of problems that are asked for are codes that there are', async () => {
  const { problemKinds } = await import('#shared/http/problem.ts');
  const asked = (await expressions()).flatMap(({ where, expr }) =>
    parseExpression(expr).selectors.flatMap(({ matchers }) =>
      matchers.filter(({ label }) => label === 'code').map(({ value }) => ({ where, value })),
    ),
  );
  expect(asked.length).toBeGreaterThan(0);
  for (const { where, value } of asked)
    for (const each of value.split('|'))
      expect(
        Object.keys(problemKinds).some((code) => new RegExp(`^(?:${each})$`).test(code)),
        `${where}: ${each}`,
      ).toBe(true);
});

test('labels by which is summed are labels of what is summed', async () => {
  const recorded = new Map(
    (await rules()).flatMap(({ record, expr }) => (record ? [[record, parseExpression(expr).grouped] as const] : [])),
  );
  for (const { where, expr } of await expressions()) {
    const { selectors, grouped } = parseExpression(expr);
    const known = selectors.flatMap(({ metric }) => labelsOf.get(metric) ?? recorded.get(metric) ?? []);
    for (const label of grouped) expect([...ofTargets, ...known], where).toContain(label);
  }
});

test('every metric of the code is watched by a panel or an alert', async () => {
  const asked = new Set(
    (await expressions()).flatMap(({ expr }) => parseExpression(expr).selectors.map(({ metric }) => metric)),
  );
  const unwatched = productMetrics()
    .filter(({ name }) => !['', '_bucket', '_sum', '_count'].some((suffix) => asked.has(`${name}${suffix}`)))
    .map(({ name }) => name);
  expect(unwatched).toEqual([]);
});
