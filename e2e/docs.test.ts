import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demoFiles } from '#shared/demo/demo-files.ts';
import { stopLeftOverPostgres } from '#shared/postgres/embedded/start-embedded-postgres.ts';
import { projectRoot, type ServiceProcess, startService, stopProcess } from './support/service-process.ts';

const run = promisify(execFile);

let dataDir: string;
let folder: string;
let service: ServiceProcess;
/** The selection that was made last; it stands for the ids that the documents show. */
let selection = '';

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-docs-'));
  folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-docs-files-'));
  for (const file of demoFiles({ activities: 200, seed: 7 })) {
    const text = [...file.rows()].join('');
    // The documents map a column of one's own.
    const own =
      file.object === 'Task'
        ? text
            .replace(/^(.*)$/m, '$1,Type__c')
            .replace(/\r?\n$/, '')
            .split(/(?<=")\r?\n|\r?\n(?=00T)/)
        : null;
    await writeFile(
      path.join(folder, file.fileName),
      own ? `${own.map((row, index) => (index === 0 ? row : `${row},Call`)).join('\r\n')}\r\n` : text,
    );
  }
  service = startService(dataDir, { DEMO_ACTIVITIES: '600' });
  await service.ready;
}, 60_000);

afterAll(async () => {
  await stopProcess(service.child);
  await stopLeftOverPostgres({ dataDir });
  await rm(dataDir, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

/** Words of a command line, with double quotes. */
const words = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? (plain as string));

describe.each(['README.md', 'docs/getting-started.md', 'docs/cli.md', 'docs/upgrade.md', 'docs/troubleshooting.md'])(
  'the commands of %s, one after another, do what they say',
  async (document) => {
    const text = await readFile(path.join(projectRoot, document), 'utf8');
    const fenced = [...text.matchAll(/^```\w*\n([\s\S]*?)^```/gm)].map(([, block]) => block as string).join('\n');
    const commands = [...fenced.matchAll(/^(?:\$ )?(?:TOKEN=\$\()?npx cool-mint (.*?)\)?$/gm)].map(
      ([, command]) => command as string,
    );

    test.each(commands.filter((command) => command !== 'start'))(
      'npx cool-mint %s',
      async (command) => {
        const args = words(command.replace(/[0-9a-f]{8}-[0-9a-f-]{27}|<selection>/g, () => selection || 'none'))
          // The size is the only thing that is changed.
          .map((word) => (word === '200000' ? '300' : word === '5000' ? '600' : word));
        const { stdout, stderr } = await run(process.execPath, [path.join(projectRoot, 'cli/main.ts'), ...args], {
          cwd: folder,
          env: { ...process.env, DATA_DIR: dataDir },
        });
        if (args[0] === 'select') selection = /id\s+([0-9a-f-]{36})/.exec(stdout)?.[1] ?? '';
        expect(stdout + stderr).not.toBe('');
      },
      60_000,
    );
  },
);
