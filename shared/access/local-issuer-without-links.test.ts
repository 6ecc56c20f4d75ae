/** On a volume that has no hard links, such as SMB and some of FUSE. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { ensureLocalIssuer, issueToken } from '#shared/access/local-issuer.ts';
import { tokenVerifier } from '#shared/access/verify-token.ts';

vi.mock('node:fs/promises', async (original) => ({
  ...(await original<typeof import('node:fs/promises')>()),
  link: () => Promise.reject(Object.assign(new Error('no links here'), { code: 'ENOTSUP' })),
}));

test('the key pair is made once all the same, by many that start at once', async () => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-issuer-'));
  const files = await Promise.all(Array.from({ length: 8 }, () => ensureLocalIssuer(dataDir)));
  const keys = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  expect(new Set(keys).size).toBe(1);
  expect((await readdir(path.join(dataDir, 'issuer'))).sort()).toEqual(['private-key.pem', 'public-key.pem']);
  const token = await issueToken(dataDir, { tenant: 'acme', actor: 'ada', hours: 1 });
  expect(await (await tokenVerifier({ publicKeyFile: files[0] as string }))(token)).toMatchObject({ actor: 'ada' });
  await rm(dataDir, { recursive: true });
});
