import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cliConfig } from '#cli/config.ts';
import { findService, signToken } from '#cli/find-service.ts';
import { ensureLocalIssuer, issueToken } from '#shared/access/local-issuer.ts';
import { tokenVerifier } from '#shared/access/verify-token.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(path.join(os.tmpdir(), 'cool-mint-cli-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const config = (more: Partial<ReturnType<typeof cliConfig>> = {}) => ({
  url: null,
  token: null,
  signs: false,
  adminUrls: [],
  dataDir,
  version: '1',
  ...more,
});
const announce = (content: unknown) =>
  writeFile(path.join(dataDir, 'service.json'), typeof content === 'string' ? content : JSON.stringify(content));
const running = {
  url: 'http://127.0.0.1:3000',
  adminUrl: 'http://127.0.0.1:3001',
  pid: process.pid,
  startedAt: '2026-01-01T00:00:00.000Z',
};

test('the service on this machine is found by what it left, with a token for the wanted tenant that a server accepts', async () => {
  const publicKeyFile = await ensureLocalIssuer(dataDir);
  await announce(running);
  const found = await findService(config(), { tenant: 'demo' });
  expect(found).toMatchObject({ tenant: 'demo', adminUrls: ['http://127.0.0.1:3001'] });
  expect(found.client.url).toBe('http://127.0.0.1:3000');
  const caller = await (await tokenVerifier({ publicKeyFile }))(await signToken(dataDir, { tenant: 'demo', hours: 1 }));
  expect(caller).toMatchObject({ tenant: 'demo', actor: 'local-user', name: os.userInfo().username });
  expect((await findService(config())).tenant).toBe('main');
});

test('where none runs, or its process is gone, it is said how to start it', async () => {
  await expect(findService(config())).rejects.toThrow(/does not run on this machine[\s\S]*npm start/);
  await announce({ ...running, pid: 2 ** 22 + 1 });
  await expect(findService(config())).rejects.toThrow(/its process is gone. Start it with: npm start/);
  await announce('{"url":');
  await expect(findService(config())).rejects.toThrow(/is damaged. Restart/);
});

test('where there is no signing key, the message says where tokens come from', async () => {
  await announce(running);
  await expect(findService(config())).rejects.toThrow(/no signing key[\s\S]*set MINT_TOKEN/);
});

test('a tenant that no service can have is refused before a token is made', async () => {
  await ensureLocalIssuer(dataDir);
  await announce(running);
  await expect(findService(config(), { tenant: 'system' })).rejects.toThrow(/"system": that name is reserved/);
  await expect(findService(config(), { tenant: 'My Tenant' })).rejects.toThrow(/lower case letters/);
});

test('MINT_URL and MINT_TOKEN name another service; the tenant is the one of the token', async () => {
  await ensureLocalIssuer(dataDir);
  const token = await issueToken(dataDir, { tenant: 'acme', actor: 'someone', hours: 1 });
  const found = await findService(config({ url: 'https://mint.example.com', token }));
  expect(found).toMatchObject({ tenant: 'acme', adminUrls: [] });
  await expect(findService(config({ url: 'https://mint.example.com', token }), { tenant: 'demo' })).rejects.toThrow(
    '--tenant cannot be combined with MINT_TOKEN',
  );
  await expect(findService(config({ url: 'https://mint.example.com' }))).rejects.toThrow('MINT_TOKEN is not');
  await expect(findService(config({ url: 'mint.example.com', token }))).rejects.toThrow('MINT_URL is no http address');
});

test('for MINT_URL a token is signed here only where it is said that it takes those', async () => {
  const publicKeyFile = await ensureLocalIssuer(dataDir);
  const deployed = config({ url: 'http://gateway:8081', signs: true, adminUrls: ['http://projector:3001'] });
  expect(await findService(deployed, { tenant: 'acme' })).toMatchObject({
    tenant: 'acme',
    adminUrls: ['http://projector:3001'],
  });
  const token = await issueToken(dataDir, { tenant: 'globex', actor: 'someone', hours: 1 });
  expect((await findService({ ...deployed, token })).tenant).toBe('globex');
  await rm(publicKeyFile.replace('public', 'private'));
  await expect(findService(deployed)).rejects.toThrow(/no signing key[\s\S]*set MINT_TOKEN/);
});

test('settings come from the environment, empty ones count as absent', () => {
  expect(cliConfig({ MINT_URL: 'http://a/', MINT_TOKEN: ' t\n' })).toMatchObject({ url: 'http://a', token: 't' });
  const { url, token, dataDir: folder } = cliConfig({ MINT_URL: '', MINT_TOKEN: '', DATA_DIR: '' });
  expect(cliConfig({ MINT_SIGN: 'on', MINT_ADMIN_URL: 'http://a:1/, http://b:1,' })).toMatchObject({
    signs: true,
    adminUrls: ['http://a:1', 'http://b:1'],
  });
  expect([url, token, path.basename(folder), path.isAbsolute(folder)]).toEqual([null, null, '.data', true]);
});
