import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureLocalIssuer } from '#shared/access/local-issuer.ts';

const main = fileURLToPath(new URL('main.ts', import.meta.url));
const verbs = [
  'start',
  'demo',
  'import',
  'activities',
  'select',
  'export',
  'audit',
  'rebuild',
  'log',
  'status',
  'doctor',
  'token',
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'cool-mint-main-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function coolMint(
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const { MINT_URL, MINT_TOKEN, ...inherited } = process.env;
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args], {
      env: { ...inherited, DATA_DIR: folder, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

test('every verb has a help with --json and an example', async () => {
  for (const verb of verbs) {
    const { code, out } = await coolMint([verb, '--help']);
    expect([verb, code]).toEqual([verb, 0]);
    expect(out).toContain('--json');
    expect(out).toMatch(new RegExp(`Examples?:\\n {2}\\$ cool-mint ${verb}`));
  }
});

test('without a service each verb that needs one fails with how to start it, without a stack trace', async () => {
  for (const args of [
    ['activities'],
    ['audit', '--json'],
    ['status'],
    ['select', '--name', 'x', '--kind', 'call'],
    ['rebuild', 'catalog'],
    ['demo'],
  ]) {
    const { code, out, err } = await coolMint(args);
    expect([args[0], code, out]).toEqual([args[0], 1, '']);
    expect(err).toContain('npm start');
    expect(err).not.toContain('    at ');
    expect(err.trim().split('\n').length).toBeLessThanOrEqual(2);
  }
});

test('an unknown verb, an unknown option and a missing argument fail on standard error', async () => {
  for (const args of [['fly'], ['import'], ['activities', '--colour', 'red']]) {
    const { code, out, err } = await coolMint(args);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/^cool-mint: /);
  }
});

test('demo data is written as files, the same for the same seed, and never over other files unless told', async () => {
  const digest = async (name: string) =>
    createHash('sha256')
      .update(await readFile(path.join(folder, name, 'Task.csv')))
      .digest('hex');
  const first = await coolMint([
    'demo',
    '--activities',
    '50',
    '--seed',
    '3',
    '--out',
    path.join(folder, 'a'),
    '--json',
  ]);
  expect(first.code).toBe(0);
  expect(JSON.parse(first.out.trim().split('\n').at(-1) ?? '')).toMatchObject({ event: 'done' });
  await coolMint(['demo', '--activities', '50', '--seed', '3', '--out', path.join(folder, 'b')]);
  expect(await digest('a')).toBe(await digest('b'));
  expect((await readdir(path.join(folder, 'a'))).filter((name) => name.endsWith('.part'))).toEqual([]);
  const again = await coolMint(['demo', '--activities', '60', '--out', path.join(folder, 'a')]);
  expect([again.code, again.err]).toEqual([1, expect.stringContaining('--force')]);
  expect((await coolMint(['demo', '--activities', '60', '--out', path.join(folder, 'a'), '--force'])).code).toBe(0);
  expect((await coolMint(['demo', '--until', '2026-02-31x', '--out', path.join(folder, 'c')])).err).toContain(
    'until must be a date',
  );
});

test('a token is printed alone, so that a shell can take it', async () => {
  expect((await coolMint(['token'])).err).toContain('no signing key');
  await ensureLocalIssuer(folder);
  const { code, out } = await coolMint(['token', '--tenant', 'demo', '--hours', '0.5']);
  expect(code).toBe(0);
  expect(out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const { exp, iat, tenant } = JSON.parse(Buffer.from(out.split('.')[1] ?? '', 'base64url').toString()) as Record<
    string,
    number | string
  >;
  expect([Number(exp) - Number(iat), tenant]).toEqual([1800, 'demo']);
  expect((await coolMint(['token', '--permissions', 'fly'])).err).toContain('There is no permission "fly"');
});

test('demo data goes into no tenant of real data by a token alone', async () => {
  await ensureLocalIssuer(folder);
  const token = (await coolMint(['token', '--tenant', 'acme'])).out.trim();
  const { code, err } = await coolMint(['demo'], { MINT_URL: 'http://127.0.0.1:1', MINT_TOKEN: token });
  expect([code, err]).toEqual([1, expect.stringContaining('MINT_TOKEN is for the tenant "acme", not for "demo"')]);
});

test('an export is checked against its digest and appears whole or not at all', async () => {
  const content = '# Calls\n';
  let told = createHash('sha256').update(content).digest('base64');
  const server = createServer((_request, response) =>
    response.writeHead(200, { 'Repr-Digest': `sha-256=:${told}:` }).end(content),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const environment = { MINT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, MINT_TOKEN: 't' };
    const id = '0193b2c4-0000-7000-8000-000000000000';
    const out = path.join(folder, 'calls.md');
    expect((await coolMint(['export', id], environment)).out).toBe(content);
    const saved = await coolMint(['export', id, '--out', out, '--json'], environment);
    expect(JSON.parse(saved.out)).toMatchObject({ selection: id, format: 'markdown', bytes: 8, verified: true });
    expect(await readFile(out, 'utf8')).toBe(content);
    await writeFile(out, 'mine');
    told = createHash('sha256').update('other').digest('base64');
    const { code, err } = await coolMint(['export', id, '--out', out], environment);
    expect([code, err]).toEqual([1, expect.stringContaining('its digest differs')]);
    expect(await readFile(out, 'utf8')).toBe('mine');
    expect((await readdir(folder)).filter((name) => name.includes('.part'))).toEqual([]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
