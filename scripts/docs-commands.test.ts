/**
 * Commands that documents show, read and not run: that the services, profiles, verbs, flags, manifests and files which they name
 * are there. (Those of the command line are run by e2e/docs.test.ts, where they can be.)
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { activitiesVerb } from '#cli/activities.ts';
import { auditVerb } from '#cli/audit.ts';
import { backupVerb } from '#cli/backup.ts';
import { demoVerb } from '#cli/demo.ts';
import { doctorVerb } from '#cli/doctor.ts';
import { exportVerb } from '#cli/export.ts';
import { importVerb } from '#cli/import.ts';
import { logVerb } from '#cli/log.ts';
import { rebuildVerb } from '#cli/rebuild.ts';
import { restoreVerb } from '#cli/restore.ts';
import { selectVerb } from '#cli/select.ts';
import { statusVerb } from '#cli/status.ts';
import { tokenVerb } from '#cli/token.ts';
import { composed } from '../deploy/testing/compose.ts';
import { projectRoot } from '../deploy/testing/project-root.ts';

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  ...(await readdir(path.join(projectRoot, 'docs'), { recursive: true }))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** Lines of blocks, those that go on put together, and what stands in the text as code. */
async function commandsOf(document: string): Promise<string[]> {
  const text = await readFile(path.join(projectRoot, document), 'utf8');
  const blocks = [...text.matchAll(/^```(?:sh)?\n([\s\S]*?)^```/gm)].map(([, block = '']) => block);
  const lines = blocks.flatMap((block) => block.replaceAll(/\\\n\s*/g, '').split('\n'));
  const inText = [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
  return [...lines, ...inText].map((line) =>
    line
      .trim()
      .replace(/^\$ /, '')
      .replace(/^\w+=\$\((.*)\)$/, '$1')
      .replace(/ \|\| break$/, ''),
  );
}

const all = (
  await Promise.all(
    documents.map(async (document) => (await commandsOf(document)).map((line) => [document, line] as const)),
  )
).flat();
const beginningWith = (program: RegExp) =>
  all
    .filter(([, line]) => program.test(line) && !/…|\.\.\./.test(line))
    .map(([document, line]) => [line, document] as const);

/** Words, with either kind of quotation marks. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double ?? single ?? (plain as string),
  );

/** Flags with their values, and what follows them. */
function flagsFirst(
  words: readonly string[],
  withValue: readonly string[],
): { flags: [string, string | null][]; rest: string[] } {
  const flags: [string, string | null][] = [];
  let at = 0;
  for (; words[at]?.startsWith('-'); at++) {
    const [name = '', value] = (words[at] as string).split(/=(.*)/s);
    flags.push([name, value ?? (withValue.includes(name) ? (words[++at] as string) : null)]);
  }
  return { flags, rest: words.slice(at) };
}

const verbs: Readonly<Record<string, Command>> = Object.fromEntries(
  [
    activitiesVerb(),
    auditVerb(),
    backupVerb(),
    demoVerb(),
    doctorVerb(),
    exportVerb(),
    importVerb(),
    logVerb(),
    rebuildVerb(),
    restoreVerb(),
    selectVerb(),
    statusVerb(),
    tokenVerb(),
  ].map((verb) => [verb.name(), verb]),
);

/** A verb of the command line, with options that it has. */
function expectVerb([name = '', ...words]: readonly string[], line: string): void {
  if (name === 'start' || name.startsWith('-') || name.startsWith('<')) return;
  let verb = verbs[name];
  expect(verb, `${line}: ${name}`).toBeDefined();
  const inner = verb?.commands.find((each) => each.name() === words[0]);
  verb = inner ?? verb;
  for (const word of words.filter((each) => each.startsWith('--')))
    expect(
      verb?.options.map(({ long }) => long),
      `${line}: ${word}`,
    ).toContain(word.split('=')[0]);
}

const compose = {
  development: await composed('docker-compose.yml', 'docker-compose.dev.yml'),
  production: await composed('docker-compose.yml', 'docker-compose.production.yml'),
};
const services = { ...compose.development.services, ...compose.production.services };
const profiles = Object.values(services).flatMap((service) => service.profiles ?? []);

/** https://docs.docker.com/reference/cli/docker/compose/ */
const composeVerbs: Readonly<
  Record<string, { readonly flags: readonly string[]; readonly withValue?: readonly string[] }>
> = {
  up: { flags: ['--build', '--detach', '--wait', '--no-deps'] },
  down: { flags: [] },
  build: { flags: [] },
  run: { flags: ['--rm', '-e'], withValue: ['-e'] },
  exec: { flags: ['-T'] },
  ps: { flags: ['--all'] },
  logs: { flags: ['--since'], withValue: ['--since'] },
  restart: { flags: [] },
  images: { flags: [] },
};

describe('docker compose', () => {
  test.each(beginningWith(/^docker compose /))('%s (%s)', (line) => {
    const before = flagsFirst(wordsOf(line).slice(2), ['-f', '--profile']);
    for (const [flag, value] of before.flags) {
      if (flag === '-f') expect(existsSync(path.join(projectRoot, value as string)), line).toBe(true);
      else expect([flag, profiles.includes(value as string)], line).toEqual(['--profile', true]);
    }
    const [verb = '', ...words] = before.rest;
    const known = composeVerbs[verb];
    expect(known, `${line}: ${verb}`).toBeDefined();
    const { flags, rest } = flagsFirst(words, known?.withValue ?? []);
    for (const [flag] of flags) expect(known?.flags, line).toContain(flag);
    if (verb === 'run' || verb === 'exec') {
      const [service = '', ...command] = rest;
      expect(services, line).toHaveProperty([service]);
      if (service === 'cool-mint') expectVerb(command, line);
      if (command[0] === 'npx') expectVerb(command.slice(2), line);
    } else for (const service of rest) expect(services, line).toHaveProperty([service]);
  });

  test('volumes that are removed are those that there are', () => {
    const removed = beginningWith(/^docker volume rm /).flatMap(([line]) => wordsOf(line).slice(3));
    expect(removed.length).toBeGreaterThan(0);
    for (const volume of removed.filter((each) => !each.startsWith('-')))
      expect(Object.keys(compose.production.volumes ?? {}).map((name) => `cool-mint_${name}`)).toContain(volume);
  });
});

test.each(beginningWith(/^npx cool-mint /))('%s (%s)', (line) => {
  expectVerb(wordsOf(line).slice(2), line);
});

interface Named {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}
const manifests: Named[] = [];
for (const folder of ['kubernetes', 'kubernetes-backup'])
  for (const file of await readdir(path.join(projectRoot, 'deploy', folder)))
    if (file.endsWith('.yaml') && file !== 'kustomization.yaml')
      for (const document of parseAllDocuments(await readFile(path.join(projectRoot, 'deploy', folder, file), 'utf8')))
        manifests.push(document.toJS() as Named);
const namesOf = (kind: string) => manifests.filter((each) => each.kind === kind).map(({ metadata }) => metadata.name);
const kinds: Readonly<Record<string, string>> = {
  deploy: 'Deployment',
  deployment: 'Deployment',
  cronjob: 'CronJob',
  scaledobject: 'ScaledObject',
};

const helps = new Map<string, string | null>();
/** What the program itself says of a verb; null where it is not here. */
function helpOf(words: readonly string[]): string | null {
  const run = (args: readonly string[]) =>
    execFileSync('kubectl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const verb = words.join(' ');
  if (!helps.has(verb))
    try {
      helps.set(verb, run(['options']) + run([...words, '--help']));
    } catch {
      helps.set(verb, null);
    }
  return helps.get(verb) ?? null;
}
const twoWords = ['create secret', 'create job', 'create namespace', 'rollout status', 'set image'];

describe('kubectl', () => {
  test.each(beginningWith(/^kubectl /))('%s (%s)', (line) => {
    const [own = [], inner = []] = line.split(/ -- /).map((part) => wordsOf(part.replace(/ {3,}.*$/, '')));
    if (inner.length > 0) expectVerb(inner.slice(2), line);
    const { flags, rest } = flagsFirst(own.slice(1), ['--namespace']);
    for (const [flag, value] of flags) expect([flag, value], line).toEqual(['--namespace', 'cool-mint']);
    const length = twoWords.includes(`${rest[0]} ${rest[1]}`) ? 2 : 1;
    const verb = rest[0] === 'create' && rest[1] === 'secret' ? rest.slice(0, 3) : rest.slice(0, length);
    const help = helpOf(verb);
    if (help !== null)
      for (const flag of rest.filter((word) => word.startsWith('--')))
        expect(help, `${line}: ${flag}`).toMatch(new RegExp(`${flag.split('=')[0]}[=\\s]`));
    for (const word of rest.filter(() => rest[0] !== 'apply')) {
      const [, kind = '', name = ''] = /^(?:--from=)?(\w+)\/([\w-]+)$/.exec(word) ?? [];
      const wanted = kinds[kind];
      if (wanted && !name.startsWith('$')) expect(namesOf(wanted), line).toContain(name);
    }
    const [, kind = '', ...names] = rest.filter((word) => !word.startsWith('-') && !word.includes('='));
    if (kinds[kind])
      for (const name of names.filter((each) => !/[/$]|-$/.test(each)))
        expect(namesOf(kinds[kind] as string), line).toContain(name);
    const [, label] = /--selector app\.kubernetes\.io\/name=(\S+)/.exec(line) ?? [];
    if (label) expect(namesOf('Deployment'), line).toContain(label);
    const [, folder] = /--kustomize (\S+)/.exec(line) ?? [];
    if (folder) expect(existsSync(path.join(projectRoot, folder, 'kustomization.yaml')), line).toBe(true);
  });
});
