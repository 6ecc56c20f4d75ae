/** Prometheus' own checks of its files, and what they do not know of: tests and runbooks of each alert. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { composed } from '../deploy/testing/compose.ts';
import { expressions, rules, yamlIn } from './testing/expressions.ts';

const run = promisify(execFile);
const folder = new URL('prometheus/', import.meta.url);
const operations = new URL('../docs/operations/', import.meta.url);

async function promtool(...args: string[]): Promise<string> {
  try {
    const { stdout } = await run('promtool', args, { cwd: folder });
    return stdout;
  } catch (error) {
    const { code, stdout, stderr } = error as { code: unknown; stdout: string; stderr: string };
    if (code === 'ENOENT') throw new Error('These tests need promtool on the PATH: apt-get install prometheus.');
    throw new Error(`${stdout}${stderr}`);
  }
}

test('promtool finds configuration and rules valid', async () => {
  expect(await promtool('check', 'config', 'prometheus.yml')).toMatch(/is valid prometheus config/);
});

test('promtool finds that each alert fires when it should, and only then', async () => {
  const files = (await readdir(new URL('tests/', folder))).map((file) => `tests/${file}`);
  const said = await promtool('test', 'rules', ...files);
  expect(said.match(/SUCCESS/g)).toHaveLength(files.length);
});

test('each alert has a test in which it fires, and one in which it does not though its rule was evaluated', async () => {
  const expected = new Map<string, { fires: number; silent: number }>();
  type Check = { alertname: string; exp_alerts: unknown[] };
  for (const { tests } of await yamlIn<{ tests: { alert_rule_test: Check[] }[] }>('tests'))
    for (const { alert_rule_test: checks } of tests)
      for (const { alertname, exp_alerts: alerts } of checks) {
        const of = expected.get(alertname) ?? { fires: 0, silent: 0 };
        // What is not among several alerts that are expected is silent, too.
        expected.set(alertname, {
          fires: of.fires + (alerts.length > 0 ? 1 : 0),
          silent: of.silent + (alerts.length === 0 ? 1 : 0),
        });
      }
  const alerts = (await rules()).flatMap(({ alert }) => alert ?? []);
  expect([...expected.keys()].sort()).toEqual([...alerts].sort());
  for (const [alert, { fires, silent }] of expected) {
    expect(fires, `${alert} fires`).toBeGreaterThan(0);
    expect(silent, `${alert} is silent`).toBeGreaterThan(0);
  }
});

test('each alert says how bad it is, what it is about, and where the runbook is', async () => {
  for (const { alert, labels = {}, annotations = {} } of await rules())
    if (alert) {
      expect(['critical', 'warning', 'info'], alert).toContain(labels['severity']);
      expect(Object.keys(annotations).sort(), alert).toEqual(['description', 'runbook_url', 'summary']);
      const file = alert.replaceAll(/(?<=.)([A-Z])/g, '-$1').toLowerCase();
      expect(annotations['runbook_url']).toBe(`docs/operations/${file}.md`);
    }
});

test('each alert has a runbook that names it, says what it means, how to look and what to do, and is in the index; no other is there', async () => {
  const index = await readFile(new URL('README.md', operations), 'utf8');
  const alerts = (await rules()).flatMap(({ alert, labels, annotations }) =>
    alert ? [{ alert, severity: labels?.['severity'], file: annotations?.['runbook_url']?.split('/').at(-1) }] : [],
  );
  for (const { alert, severity, file } of alerts) {
    const text = await readFile(new URL(`${file}`, operations), 'utf8');
    expect(text.split('\n')[0], alert).toBe(`# ${alert}`);
    expect([...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)).toEqual([
      'What it means',
      'How to look',
      'What to do',
    ]);
    expect(index).toContain(`| [${alert}](${file}) | ${severity} |`);
  }
  const files = (await readdir(operations)).filter((file) => file !== 'README.md');
  expect(files.sort()).toEqual(alerts.map(({ file }) => file).sort());
});

test('rules that others use are used', async () => {
  const all = await expressions();
  for (const { record } of await rules())
    if (record) expect(all.filter(({ expr }) => expr.includes(record)).length, record).toBeGreaterThan(0);
});

test('runbooks name verbs, services and routes that there are', async () => {
  const verbs = await readdir(new URL('../cli/', import.meta.url));
  const { services } = await composed('docker-compose.yml');
  const routes = await readFile(new URL('../command-service/projection/routes.ts', import.meta.url), 'utf8');
  for (const file of await readdir(operations)) {
    const text = await readFile(new URL(file, operations), 'utf8');
    for (const [, verb] of text.matchAll(/npx cool-mint ([a-z]+)/g)) expect(verbs, file).toContain(`${verb}.ts`);
    for (const [, named = ''] of text.matchAll(
      /docker compose (?:exec|logs --since \d+m|restart|ps)((?: [a-z][a-z-]*)+)/g,
    ))
      expect(Object.keys(services), file).toContain(named.trim().split(' ')[0]);
    for (const [, route = ''] of text.matchAll(/`POST (\S+)`/g))
      expect(routes, file).toContain(route.replaceAll(/\{(\w+)\}/g, ':$1'));
    for (const [, link = ''] of text.matchAll(/\]\(([^)#]+)/g))
      if (!link.startsWith('http'))
        await expect(readFile(new URL(link, operations)), `${file}: ${link}`).resolves.toBeDefined();
  }
});
