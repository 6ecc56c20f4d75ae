/** Bearer tokens: JWTs signed with ES256, EdDSA or RS256, that say tenant, actor, name and permissions. */
import { readFile } from 'node:fs/promises';
import { createRemoteJWKSet, errors, importSPKI, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import type { Caller } from '#shared/access/permissions.ts';
import { SetupError } from '#shared/errors/setup-error.ts';
import { systemTenant, tenantName } from '#shared/events/metadata.ts';

export const tokenAudience = 'cool-mint';
const algorithms = ['ES256', 'EdDSA', 'RS256'];

/** What of a JWKS can check tokens of ours. https://www.rfc-editor.org/rfc/rfc7517 */
const usableKey = z.union([
  z.looseObject({ kty: z.literal('EC'), crv: z.literal('P-256') }),
  z.looseObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519') }),
  z.looseObject({ kty: z.literal('RSA') }),
]);
export const verifies = (key: unknown): boolean =>
  usableKey.safeParse(key).success && (key as { use?: unknown }).use !== 'enc';

const claims = z.object({
  sub: z.string().min(1).max(200),
  tenant: tenantName.refine((tenant) => tenant !== systemTenant, { error: 'the tenant "system" is reserved' }),
  name: z.string().max(200).optional(),
  permissions: z.array(z.string().max(100)).max(100),
});

/** The keys could not be fetched: nothing is known of the token. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

/** Throws an Error whose message may be shown: it says what is wrong with the token, never what is in it. */
export type VerifyToken = (token: string) => Promise<Caller>;

export interface TokenKeys {
  readonly jwksUrl?: string | undefined;
  readonly publicKeyFile?: string | undefined;
}

export async function tokenVerifier(keys: TokenKeys): Promise<VerifyToken> {
  const key = await keyOf(keys);
  return async (token) => {
    const { payload } = await jwtVerify(token, key, {
      audience: tokenAudience,
      algorithms,
      requiredClaims: ['exp', 'sub'],
    });
    const read = claims.safeParse(payload);
    if (!read.success)
      throw new Error(
        `the token lacks or misstates: ${read.error.issues.map((issue) => issue.path.join('.')).join(', ')}`,
      );
    const { tenant, sub, name, permissions } = read.data;
    return { tenant, actor: sub, name: name ?? null, permissions: new Set(permissions) };
  };
}

async function keyOf({ jwksUrl, publicKeyFile }: TokenKeys): Promise<JWTVerifyGetKey> {
  if (jwksUrl) {
    const remote = createRemoteJWKSet(new URL(jwksUrl));
    return (header, token) =>
      remote(header, token).catch((error: unknown) => {
        if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
        throw new KeysUnavailable('the keys cannot be fetched', { cause: error });
      });
  }
  if (!publicKeyFile) throw new SetupError('No keys to check tokens with: set AUTH_JWKS_URL or AUTH_PUBLIC_KEY_FILE.');
  let pem: string;
  try {
    pem = await readFile(publicKeyFile, 'utf8');
  } catch (error) {
    throw new SetupError(
      `AUTH_PUBLIC_KEY_FILE: ${publicKeyFile} cannot be read (${(error as NodeJS.ErrnoException).code}).`,
    );
  }
  for (const algorithm of algorithms) {
    try {
      const key = await importSPKI(pem, algorithm);
      return async () => key;
    } catch {
      // another algorithm may fit
    }
  }
  throw new SetupError(
    `AUTH_PUBLIC_KEY_FILE: ${publicKeyFile} holds no public key in PEM (SPKI) form of ES256, EdDSA or RS256.`,
  );
}
