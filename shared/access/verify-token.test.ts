import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureLocalIssuer, issueToken } from '#shared/access/local-issuer.ts';
import { permission } from '#shared/access/permissions.ts';
import { KeysUnavailable, tokenVerifier, type VerifyToken } from '#shared/access/verify-token.ts';
import { SetupError } from '#shared/errors/setup-error.ts';

type SigningKey = Parameters<SignJWT['sign']>[0];

let dataDir: string;
let verify: VerifyToken;
const claims = { sub: 'user-1', tenant: 'acme', permissions: ['audit:read'] };

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-access-'));
  verify = await tokenVerifier({ publicKeyFile: await ensureLocalIssuer(dataDir) });
});
afterAll(() => rm(dataDir, { recursive: true }));

const sign = async (
  payload: JWTPayload,
  more: { audience?: string; expires?: string | number } = {},
  key?: SigningKey,
) =>
  new SignJWT(payload)
    .setProtectedHeader({ alg: 'ES256' })
    .setAudience(more.audience ?? 'cool-mint')
    .setExpirationTime(more.expires ?? '1h')
    .sign(key ?? (await localKey()));
async function localKey(): Promise<SigningKey> {
  const { importPKCS8 } = await import('jose');
  const { readFile } = await import('node:fs/promises');
  return importPKCS8(await readFile(path.join(dataDir, 'issuer', 'private-key.pem'), 'utf8'), 'ES256');
}

describe('a token of the local issuer', () => {
  test('says tenant, actor, name and permissions', async () => {
    const token = await issueToken(dataDir, {
      tenant: 'acme',
      actor: 'user-1',
      name: 'Ann',
      permissions: ['audit:read'],
      hours: 1,
    });
    expect(await verify(token)).toEqual({
      tenant: 'acme',
      actor: 'user-1',
      name: 'Ann',
      permissions: new Set(['audit:read']),
    });
  });

  test('carries all permissions where none are named', async () => {
    const { permissions } = await verify(await issueToken(dataDir, { tenant: 'acme', actor: 'a', hours: 1 }));
    expect([...permissions]).toEqual(permission.options);
  });

  test('comes from a key pair that is made once and that only its owner can read', async () => {
    const before = await issueToken(dataDir, { tenant: 'acme', actor: 'a', hours: 1 });
    await ensureLocalIssuer(dataDir);
    await expect(verify(before)).resolves.toBeTruthy();
    expect((await stat(path.join(dataDir, 'issuer', 'private-key.pem'))).mode & 0o777).toBe(0o600);
  });
});

describe('a token is refused that', () => {
  test.each([
    ['is signed with another key', async () => sign(claims, {}, (await generateKeyPair('ES256')).privateKey)],
    [
      'is not signed at all',
      async () => new UnsecuredJWT(claims).setAudience('cool-mint').setExpirationTime('1h').encode(),
    ],
    ['has expired', () => sign(claims, { expires: Math.floor(Date.now() / 1000) - 60 })],
    ['is meant for somebody else', () => sign(claims, { audience: 'another-service' })],
    ['names no tenant', () => sign({ ...claims, tenant: undefined })],
    ['names the reserved tenant', () => sign({ ...claims, tenant: 'system' })],
    ['names a tenant that is no name', () => sign({ ...claims, tenant: '../other' })],
    ['names nobody', () => sign({ ...claims, sub: undefined as never })],
    ['lists no permissions', () => sign({ ...claims, permissions: 'all' })],
    ['is no token', async () => 'abc.def'],
  ])('%s', async (_, make) => {
    await expect(verify(await make())).rejects.toThrow();
  });
});

describe('keys', () => {
  let server: Server;
  afterAll(() => server?.close());

  test('come from a JWKS URL where one is set', async () => {
    const pair = await generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'ES256' };
    server = createServer((_request, response) => response.end(JSON.stringify({ keys: [jwk] })));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const remote = await tokenVerifier({ jwksUrl: `http://127.0.0.1:${port}/jwks` });
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .setAudience('cool-mint')
      .setExpirationTime('1h')
      .sign(pair.privateKey);
    expect((await remote(token)).tenant).toBe('acme');
    await expect(remote(await sign(claims))).rejects.toThrow();
  });

  test('that cannot be fetched are not the fault of the token', async () => {
    const away = await tokenVerifier({ jwksUrl: 'http://127.0.0.1:1/jwks' });
    await expect(away(await sign(claims))).rejects.toBeInstanceOf(KeysUnavailable);
  });

  test('that cannot be used are told at start, by the name of the setting', async () => {
    await expect(tokenVerifier({})).rejects.toThrow(SetupError);
    await expect(tokenVerifier({ publicKeyFile: path.join(dataDir, 'none.pem') })).rejects.toThrow(
      /AUTH_PUBLIC_KEY_FILE: .*ENOENT/,
    );
    const file = path.join(dataDir, 'no-key.pem');
    await writeFile(file, 'no key');
    await expect(tokenVerifier({ publicKeyFile: file })).rejects.toThrow(/no public key/);
  });
});
