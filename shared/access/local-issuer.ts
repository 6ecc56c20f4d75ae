/** The issuer of one machine: a key pair under the data folder, made once; whoever can read it may sign. */
import { createPublicKey, randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exportPKCS8, generateKeyPair, importPKCS8, SignJWT } from 'jose';
import { permission } from '#shared/access/permissions.ts';
import { tokenAudience } from '#shared/access/verify-token.ts';
import { SetupError } from '#shared/errors/setup-error.ts';

const algorithm = 'ES256';
/** Where its keys are: PEM, the private one readable for its owner only. */
export const issuerFiles = (dataDir: string) => ({
  privateKey: path.join(dataDir, 'issuer', 'private-key.pem'),
  publicKey: path.join(dataDir, 'issuer', 'public-key.pem'),
});

/**
 * Makes the key pair where there is none. Answers the file of the public key. Several processes may start on one folder
 * at once: one private key wins, and the public key is always made of the one that stands. Throws a SetupError where what
 * stands there is no key, or cannot be read.
 */
export async function ensureLocalIssuer(dataDir: string): Promise<string> {
  const { privateKey, publicKey } = issuerFiles(dataDir);
  const wanted = (await standingKey(privateKey)) ?? (await placePrivateKey(privateKey, await makePrivateKey()));
  // Compared as keys: it may have been written by another program, and the folder may be read-only.
  if ((await readIfThere(publicKey).then(spkiOrNull)) === wanted) return publicKey;
  const made = `${publicKey}.${randomUUID()}`;
  await writeDurably(made, wanted, 0o644);
  await rename(made, publicKey);
  await syncFolder(path.dirname(publicKey));
  return publicKey;
}

/** Whether the pair stands and belongs together; changes nothing. Rejects where a file cannot be read or holds no key. */
export async function localIssuerState(
  dataDir: string,
): Promise<{ readonly pair: 'missing' | 'whole' | 'no public key' | 'of two keys'; readonly mode: number }> {
  const { privateKey, publicKey } = issuerFiles(dataDir);
  const stands = await readIfThere(privateKey);
  if (stands === null) return { pair: 'missing', mode: 0 };
  const [wanted, { mode: all }] = [spkiOf(stands), await stat(privateKey)];
  const mode = all & 0o777;
  const told = await readIfThere(publicKey);
  if (told === null) return { pair: 'no public key', mode };
  return { pair: spkiOf(told) === wanted ? 'whole' : 'of two keys', mode };
}

/** Of a private or a public key, so that they can be compared whoever wrote them. */
const spkiOf = (pem: string): string => createPublicKey(pem).export({ type: 'spki', format: 'pem' }) as string;

function spkiOrNull(pem: string | null): string | null {
  try {
    return pem === null ? null : spkiOf(pem);
  } catch {
    return null;
  }
}

async function makePrivateKey(): Promise<string> {
  const pair = await generateKeyPair(algorithm, { extractable: true });
  return exportPKCS8(pair.privateKey);
}

/** Puts a private key in place that was kept elsewhere, PEM, where there is none yet. */
export async function placeLocalIssuer(dataDir: string, privateKey: Uint8Array): Promise<void> {
  await placePrivateKey(issuerFiles(dataDir).privateKey, privateKey);
  await ensureLocalIssuer(dataDir);
}

/** Of volumes that have no hard links (SMB, FUSE). */
const withoutLinks: readonly (string | undefined)[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'EMLINK'];

/** Answers the public key of that which stands afterwards, which may be another process's. */
async function placePrivateKey(file: string, pem: string | Uint8Array): Promise<string> {
  const folder = path.dirname(file);
  await mkdir(path.dirname(folder), { recursive: true, mode: 0o700 });
  // Passed through by another user who is to read the public key: docker-compose.yml has the query service so.
  await mkdir(folder, { recursive: true, mode: 0o711 });
  const made = `${file}.${randomUUID()}`;
  await writeDurably(made, pem, 0o600);
  try {
    // Unlike a rename it never takes the place of what is there, and it appears whole.
    await link(made, file).catch((error: NodeJS.ErrnoException) => {
      if (!withoutLinks.includes(error.code)) throw error;
      return writeDurably(file, pem, 0o600);
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(made);
  }
  await syncFolder(folder);
  const stands = await standingKey(file);
  if (stands === null) throw damaged(file, 'it was removed meanwhile');
  return stands;
}

/** The public key of a private one; null where there is none. */
async function standingKey(file: string): Promise<string | null> {
  for (let left = 20; ; left--) {
    const pem = await readIfThere(file).catch((error: NodeJS.ErrnoException) => {
      throw damaged(file, `it cannot be read (${error.code})`);
    });
    if (pem === null) return null;
    const key = spkiOrNull(pem);
    if (key !== null) return key;
    // On a volume without links another process may be writing it at this moment.
    if (left === 0) throw damaged(file, pem.trim() === '' ? 'it is empty' : 'it holds no private key in PEM form');
    await sleep(50);
  }
}

const damaged = (file: string, why: string) =>
  new SetupError(
    `The key ${file} cannot be used: ${why}. Restore it from a backup, or let the user of Cool Mint read it. Or remove it: the next start makes another one, and tokens of before are refused.`,
  );

/** Only where there is no such file; on the disk when it returns. */
async function writeDurably(file: string, content: string | Uint8Array, mode: number): Promise<void> {
  const handle = await open(file, 'wx', mode);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** So that a name in it outlives a power cut. Some systems cannot open a folder, or have nothing to do for it. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => null);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

export interface TokenRequest {
  readonly tenant: string;
  readonly actor: string;
  readonly name?: string | undefined;
  /** All permissions where absent. */
  readonly permissions?: readonly string[] | undefined;
  readonly hours: number;
}

/** Rejects with ENOENT where the folder has no issuer yet. */
export async function issueToken(dataDir: string, request: TokenRequest): Promise<string> {
  const { privateKey } = issuerFiles(dataDir);
  const key = await importPKCS8(await readFile(privateKey, 'utf8'), algorithm).catch((error: NodeJS.ErrnoException) => {
    throw error.code === undefined ? damaged(privateKey, 'it holds no private key in PEM form') : error;
  });
  return new SignJWT({
    tenant: request.tenant,
    permissions: request.permissions ?? permission.options,
    ...(request.name ? { name: request.name } : {}),
  })
    .setProtectedHeader({ alg: algorithm })
    .setSubject(request.actor)
    .setAudience(tokenAudience)
    .setIssuer('cool-mint-local')
    .setIssuedAt()
    .setExpirationTime(`${request.hours}h`)
    .sign(key);
}
