import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ensureLocalIssuer, issueToken } from '#shared/access/local-issuer.ts';
import { tokenVerifier } from '#shared/access/verify-token.ts';
import { SetupError } from '#shared/errors/setup-error.ts';

const run = promisify(execFile);
let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-issuer-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const who = { tenant: 'acme', actor: 'ada', hours: 1 };
const accepted = async (publicKeyFile: string) =>
  (await tokenVerifier({ publicKeyFile }))(await issueToken(dataDir, who));

describe('the local issuer', () => {
  test('is made once by processes that start at once, and all of them accept what it signs', async () => {
    const program = `import { ensureLocalIssuer } from '#shared/access/local-issuer.ts';
      import { tokenVerifier } from '#shared/access/verify-token.ts';
import { SetupError } from '#shared/errors/setup-error.ts';
      import { readFileSync } from 'node:fs';
      const publicKeyFile = await ensureLocalIssuer(process.argv[1]);
      await tokenVerifier({ publicKeyFile });
      process.stdout.write(readFileSync(publicKeyFile, 'utf8'));`;
    for (let round = 0; round < 3; round++) {
      await rm(path.join(dataDir, 'issuer'), { recursive: true, force: true });
      const keys = await Promise.all(
        Array.from({ length: 4 }, async () => {
          const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program, dataDir]);
          return stdout;
        }),
      );
      expect(new Set(keys).size).toBe(1);
      expect(await accepted(path.join(dataDir, 'issuer', 'public-key.pem'))).toMatchObject({ actor: 'ada' });
      expect((await readdir(path.join(dataDir, 'issuer'))).sort()).toEqual(['private-key.pem', 'public-key.pem']);
    }
  }, 60_000);

  test('has many starts in one process, and one key', async () => {
    const files = await Promise.all(Array.from({ length: 16 }, () => ensureLocalIssuer(dataDir)));
    expect(await accepted(files[0] as string)).toMatchObject({ tenant: 'acme' });
    const before = await readFile(files[0] as string, 'utf8');
    await ensureLocalIssuer(dataDir);
    expect(await readFile(files[0] as string, 'utf8')).toBe(before);
  });

  test('makes its public key anew where that is lost or of another key', async () => {
    const file = await ensureLocalIssuer(dataDir);
    const first = await readFile(file, 'utf8');
    await rm(file);
    expect(await readFile(await ensureLocalIssuer(dataDir), 'utf8')).toBe(first);
    const other = await mkdtemp(path.join(tmpdir(), 'cool-mint-issuer-'));
    await writeFile(file, await readFile(await ensureLocalIssuer(other)));
    await rm(other, { recursive: true });
    await ensureLocalIssuer(dataDir);
    expect(await accepted(file)).toMatchObject({ actor: 'ada' });
  });

  test('takes a pair that openssl made, from a folder that it may not write', async () => {
    const folder = path.join(dataDir, 'issuer');
    await mkdir(folder);
    const [privateKey, publicKey] = [path.join(folder, 'private-key.pem'), path.join(folder, 'public-key.pem')];
    await run('openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', privateKey]);
    await run('openssl', ['pkey', '-in', privateKey, '-pubout', '-out', publicKey]);
    const before = (await readdir(folder)).length;
    await chmod(folder, 0o500);
    expect(await accepted(await ensureLocalIssuer(dataDir))).toMatchObject({ actor: 'ada' });
    expect(await readdir(folder)).toHaveLength(before);
    await chmod(folder, 0o700);
  });

  test('lets others pass to the public key, and nobody else read the private one', async () => {
    await ensureLocalIssuer(dataDir);
    const folder = path.join(dataDir, 'issuer');
    const modes = await Promise.all(
      [folder, path.join(folder, 'private-key.pem'), path.join(folder, 'public-key.pem')].map(
        async (file) => (await stat(file)).mode & 0o777,
      ),
    );
    expect(modes).toEqual([0o711, 0o600, 0o644]);
  });

  test.each([
    ['', 'it is empty'],
    ['no key', 'it holds no private key'],
  ])('a key file that holds "%s" is told with its name and what to do', async (content, why) => {
    const file = path.join(dataDir, 'issuer', 'private-key.pem');
    await mkdir(path.dirname(file));
    await writeFile(file, content);
    const told = await ensureLocalIssuer(dataDir).catch((error: unknown) => error);
    expect(told).toBeInstanceOf(SetupError);
    expect((told as Error).message).toContain(`The key ${file} cannot be used: ${why}`);
    expect((told as Error).message).toMatch(/remove it/);
    await expect(issueToken(dataDir, who)).rejects.toThrow(SetupError);
    // What stands is never replaced.
    expect(await readFile(file, 'utf8')).toBe(content);
  });
});
