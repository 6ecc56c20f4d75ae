/** The issuer of one machine: a key pair under the data folder, made once; whoever can read it may sign. */
import { createPublicKey, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { exportPKCS8, generateKeyPair, importPKCS8, SignJWT } from 'jose';
import { permission } from '#shared/access/permissions.ts';
import { tokenAudience } from '#shared/access/verify-token.ts';

const algorithm = 'ES256';
/** Where its keys are: PEM, the private one readable for its owner only. */
export const issuerFiles = (dataDir: string) => ({
  privateKey: path.join(dataDir, 'issuer', 'private-key.pem'),
  publicKey: path.join(dataDir, 'issuer', 'public-key.pem'),
});

/**
 * Makes the key pair where there is none. Answers the file of the public key. Several processes may start on one folder
 * at once: one private key wins, and the public key is always made of the one that stands.
 */
export async function ensureLocalIssuer(dataDir: string): Promise<string> {
  const { privateKey, publicKey } = issuerFiles(dataDir);
  const stands = await readIfThere(privateKey);
  const key = stands ?? (await placePrivateKey(privateKey, await makePrivateKey()));
  const wanted = spkiOf(key);
  // Compared as keys: it may have been written by another program, and the folder may be read-only.
  const told = await readIfThere(publicKey);
  if (told !== null && spkiOf(told) === wanted) return publicKey;
  const made = `${publicKey}.${randomUUID()}`;
  await writeFile(made, wanted, { mode: 0o644 });
  await rename(made, publicKey);
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

async function makePrivateKey(): Promise<string> {
  const pair = await generateKeyPair(algorithm, { extractable: true });
  return exportPKCS8(pair.privateKey);
}

/** Puts a private key in place that was kept elsewhere, PEM, where there is none yet. */
export async function placeLocalIssuer(dataDir: string, privateKey: Uint8Array): Promise<void> {
  await placePrivateKey(issuerFiles(dataDir).privateKey, privateKey);
  await ensureLocalIssuer(dataDir);
}

/** Answers the key that stands afterwards, which may be another process's. */
async function placePrivateKey(file: string, pem: string | Uint8Array): Promise<string> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const made = `${file}.${randomUUID()}`;
  await writeFile(made, pem, { mode: 0o600 });
  try {
    // Unlike a rename it never takes the place of what is there, and it appears whole.
    await link(made, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(made);
  }
  return readFile(file, 'utf8');
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
  const key = await importPKCS8(await readFile(issuerFiles(dataDir).privateKey, 'utf8'), algorithm);
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
