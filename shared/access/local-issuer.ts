/** The issuer of one machine: a key pair under the data folder, made once; whoever can read it may sign. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { exportPKCS8, exportSPKI, generateKeyPair, importPKCS8, SignJWT } from 'jose';
import { permission } from '#shared/access/permissions.ts';
import { tokenAudience } from '#shared/access/verify-token.ts';

const algorithm = 'ES256';
const files = (dataDir: string) => ({
  privateKey: path.join(dataDir, 'issuer', 'private-key.pem'),
  publicKey: path.join(dataDir, 'issuer', 'public-key.pem'),
});

/** Makes the key pair where there is none. Answers the file of the public key. */
export async function ensureLocalIssuer(dataDir: string): Promise<string> {
  const { privateKey, publicKey } = files(dataDir);
  try {
    await readFile(privateKey);
    await readFile(publicKey);
    return publicKey;
  } catch {
    const pair = await generateKeyPair(algorithm, { extractable: true });
    await mkdir(path.dirname(privateKey), { recursive: true, mode: 0o700 });
    // The private key last, by rename: it stands only where its public key does.
    await writeFile(publicKey, await exportSPKI(pair.publicKey), { mode: 0o644 });
    await writeFile(`${privateKey}.new`, await exportPKCS8(pair.privateKey), { mode: 0o600 });
    await rename(`${privateKey}.new`, privateKey);
    return publicKey;
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
  const key = await importPKCS8(await readFile(files(dataDir).privateKey, 'utf8'), algorithm);
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
