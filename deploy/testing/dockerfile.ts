/** A Dockerfile as data, and its steps done in a clean folder: COPY copies, RUN runs, without a container engine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, glob, mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';

export interface Instruction {
  readonly name: string;
  readonly text: string;
}

export interface Stage {
  readonly from: string;
  readonly alias: string | null;
  readonly instructions: readonly Instruction[];
}

export function parseDockerfile(text: string): Stage[] {
  const lines = text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
  const stages: { from: string; alias: string | null; instructions: Instruction[] }[] = [];
  for (const line of lines.filter((each) => each.trim() !== '')) {
    const [, name = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === '') throw new Error(`not an instruction: ${line}`);
    const [from = '', as, alias] = rest.split(/\s+/);
    if (name === 'FROM') stages.push({ from, alias: as ? (alias as string) : null, instructions: [] });
    else stages.at(-1)?.instructions.push({ name, text: rest });
  }
  return stages;
}

export const allOf = (stage: Stage, name: string): string[] =>
  stage.instructions.filter((each) => each.name === name).map(({ text }) => text);

/** What ENV sets. */
export const environmentOf = (stage: Stage): Record<string, string> =>
  Object.fromEntries(
    allOf(stage, 'ENV')
      .flatMap((text) => text.split(/\s+/))
      .map((pair) => pair.split('=') as [string, string]),
  );

/** The files that .dockerignore leaves, relative to the folder. A pattern of it is a path, or a glob from any folder on. */
export async function buildContext(folder: string): Promise<string[]> {
  const patterns = (await readFile(path.join(folder, '.dockerignore'), 'utf8'))
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const matches = (file: string, pattern: string) =>
    path.matchesGlob(file, pattern) || path.matchesGlob(file, `${pattern}/**`);
  const ignored = (file: string) =>
    patterns.reduce(
      (before, pattern) =>
        pattern.startsWith('!')
          ? matches(file, pattern.slice(1))
            ? false
            : before
          : pattern === '*' || matches(file, pattern)
            ? true
            : before,
      false,
    );
  const roots = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));
  const files: string[] = [];
  for await (const file of glob(
    roots.flatMap((root) => [root, `${root}/**`]),
    { cwd: folder },
  ))
    if ((await stat(path.join(folder, file))).isFile() && !ignored(file)) files.push(file);
  return [...new Set(files)].sort();
}

/**
 * Builds the stages below `root`, each in a folder of its own, and answers that of the last one. Paths that are absolute
 * in the image stand below that folder, and files belong to whoever runs this.
 */
export async function buildImage(stages: readonly Stage[], context: string, root: string): Promise<string> {
  const built = new Map<string, string>();
  let last = '';
  for (const [index, stage] of stages.entries()) {
    last = path.join(root, stage.alias ?? `stage-${index}`);
    if (stage.alias) built.set(stage.alias, last);
    await mkdir(last, { recursive: true });
    let workdir = last;
    let env: Record<string, string> = {};
    const within = (file: string) => (path.isAbsolute(file) ? path.join(last, file) : path.join(workdir, file));
    for (const { name, text } of stage.instructions) {
      if (name === 'WORKDIR') {
        workdir = within(text);
        await mkdir(workdir, { recursive: true });
      }
      if (name === 'ENV') env = { ...env, ...environmentOf({ ...stage, instructions: [{ name, text }] }) };
      if (name === 'COPY') await copy(text, within);
      if (name === 'RUN') {
        const command = text
          .replaceAll(/(?<= )\/(?=\w)/g, `${last}/`)
          .replaceAll(/ -[og] node/g, '')
          .trim();
        await run(command, workdir, env);
      }
    }
  }
  return last;

  /** With the modes of a checkout whose umask is 077, which COPY keeps. */
  async function copyClosed(file: string, target: string): Promise<void> {
    await cp(path.join(context, file), path.join(target, file));
    const { mode } = await stat(path.join(target, file));
    await chmod(path.join(target, file), mode & 0o700);
    for (let at = path.dirname(file); at !== '.'; at = path.dirname(at)) await chmod(path.join(target, at), 0o700);
  }

  async function copy(text: string, within: (file: string) => string): Promise<void> {
    const words = text.split(/\s+/);
    const stage = words[0]?.startsWith('--from=') ? (words.shift() as string).slice('--from='.length) : null;
    const target = within(words.pop() as string);
    for (const source of words) {
      if (stage !== null)
        await cp(path.join(built.get(stage) as string, source), target, { recursive: true, verbatimSymlinks: true });
      else
        for (const file of await buildContext(context))
          if (source === '.' || file === source || file.startsWith(`${source}/`)) await copyClosed(file, target);
    }
  }
}

async function run(command: string, cwd: string, env: Record<string, string>): Promise<void> {
  // With our environment, for it says how the registry is reached.
  const child = spawn('sh', ['-ec', command], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`RUN ${command} ended with ${code}: ${said.slice(-2_000)}`);
}
