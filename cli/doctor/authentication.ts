import { reasonOf } from '#cli/doctor/api.ts';
import { type Check, type Finding, failed, NotThere, ok, skipped, warning } from '#cli/doctor/check.ts';
import type { Installation } from '#cli/doctor/installation.ts';
import { issuerFiles, issueToken, localIssuerState } from '#shared/access/local-issuer.ts';
import { tokenVerifier, verifies } from '#shared/access/verify-token.ts';
import { withoutCredentials } from '#shared/errors/without-credentials.ts';

const group = 'authentication';
const answerMilliseconds = 5_000;
const local = { tenant: 'main', actor: 'local-user' };
/** A read that needs a token, and little else. */
const path = '/api/v1/projections';

export function authenticationChecks({ config, cli, api }: Installation): Check[] {
  const issuesHere = async () => {
    const { AUTH_JWKS_URL, AUTH_PUBLIC_KEY_FILE } = await config();
    return !AUTH_JWKS_URL && !AUTH_PUBLIC_KEY_FILE;
  };
  /** The status of a read with this token, or with none. */
  async function statusWith(token: string | null): Promise<number> {
    const { url } = await api();
    const answer = await fetch(`${url}${path}`, {
      redirect: 'error',
      headers: token === null ? {} : { Authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(answerMilliseconds),
    }).catch(() => {
      throw new NotThere('the API does not answer');
    });
    await answer.arrayBuffer();
    return answer.status;
  }
  async function localToken(hours: number): Promise<string> {
    if (!(await issuesHere())) throw new NotThere('tokens come from your identity provider');
    if (cli.url !== null && !cli.signs) throw new NotThere('MINT_URL is set: the key of that service is not here');
    return issueToken(cli.dataDir, { ...local, hours }).catch(() => {
      throw new NotThere('there is no key that could sign here');
    });
  }
  const refused = (what: string, status: number): Finding =>
    status === 401
      ? ok(`${what} is refused`)
      : failed(
          `A read with ${what} is answered with HTTP ${status}; it must be 401.`,
          'Somebody between here and the service may add credentials of their own, or it is not Cool Mint that answers.',
        );
  return [
    {
      group,
      name: 'keys',
      async run() {
        const { AUTH_JWKS_URL, AUTH_PUBLIC_KEY_FILE, DATA_DIR } = await config();
        // A deployment may always name the file of its own key: the identity provider takes its place.
        if (AUTH_JWKS_URL) return keysAt(AUTH_JWKS_URL);
        if (AUTH_PUBLIC_KEY_FILE) {
          await tokenVerifier({ publicKeyFile: AUTH_PUBLIC_KEY_FILE });
          return ok(`a public key is in ${AUTH_PUBLIC_KEY_FILE}`);
        }
        return keyPairIn(DATA_DIR);
      },
    },
    {
      group,
      name: 'a token',
      async run() {
        await api();
        if (cli.token === null && cli.url !== null && cli.signs && !(await issuesHere()))
          return warning(
            'Tokens come from your identity provider, and MINT_TOKEN is not set: whether one is accepted was not looked at.',
            'Set it to a token of the identity provider.',
          );
        if (cli.url !== null && cli.token === null && !cli.signs)
          return failed(
            'MINT_URL is set, MINT_TOKEN is not.',
            'Set it to a token for that service; on its machine "npx cool-mint token" prints one.',
          );
        const ended = cli.token === null ? null : endOf(cli.token);
        if (ended !== null && ended < Date.now())
          return failed(`MINT_TOKEN has expired, at ${new Date(ended).toISOString()}.`, 'Set it to a new one.');
        const status = await statusWith(cli.token ?? (await localToken(0.1)));
        if (status === 200) return ok('is accepted');
        if (status === 403) return ok('is accepted (it lacks the permission projections:read)');
        const which = cli.token === null ? 'A token signed with the key of this machine' : 'MINT_TOKEN';
        return status === 401
          ? failed(
              `${which} is refused.`,
              'The service has other keys than those that signed it, or its clock is wrong: compare DATA_DIR, AUTH_JWKS_URL and AUTH_PUBLIC_KEY_FILE of both.',
            )
          : failed(`A read with a token is answered with HTTP ${status}.`, 'See the log of the service.');
      },
    },
    { group, name: 'no token', run: async () => refused('no token', await statusWith(null)) },
    {
      group,
      name: 'an expired token',
      run: async () => {
        await api();
        return refused('an expired token', await statusWith(await localToken(-1)));
      },
    },
  ];
}

async function keysAt(jwksUrl: string): Promise<Finding> {
  const place = withoutCredentials(jwksUrl);
  const { username, password } = new URL(jwksUrl);
  if (username || password)
    return failed(`AUTH_JWKS_URL: ${place} has a user in it: keys are fetched without one.`, 'Take it out.');
  let found: { keys?: unknown };
  try {
    const answer = await fetch(jwksUrl, { signal: AbortSignal.timeout(answerMilliseconds) });
    if (!answer.ok)
      return failed(`AUTH_JWKS_URL: ${place} answers with HTTP ${answer.status}.`, 'Correct AUTH_JWKS_URL.');
    found = (await answer.json()) as typeof found;
  } catch (error) {
    return failed(
      `AUTH_JWKS_URL: ${place} gives no keys (${reasonOf(error)}): nobody can sign in.`,
      'Start the identity provider, or correct AUTH_JWKS_URL.',
    );
  }
  const keys = Array.isArray(found.keys) ? found.keys.filter(verifies) : [];
  return keys.length > 0
    ? ok(`${keys.length} at ${place}`)
    : failed(
        `AUTH_JWKS_URL: ${place} has no key of ES256, EdDSA or RS256.`,
        'Let the identity provider sign with one of these, or correct AUTH_JWKS_URL.',
      );
}

async function keyPairIn(dataDir: string): Promise<Finding> {
  const { privateKey, publicKey } = issuerFiles(dataDir);
  let state: Awaited<ReturnType<typeof localIssuerState>>;
  try {
    state = await localIssuerState(dataDir);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return failed(
      `The key pair in ${dataDir} cannot be read (${code ?? 'it is damaged'}).`,
      code === 'EACCES'
        ? 'Run this as the user who started Cool Mint.'
        : `Restore ${privateKey} from a backup. Or remove both keys: the next start makes others, and tokens of before are refused.`,
    );
  }
  if (state.pair === 'missing') return skipped('none yet: the first start makes a key pair');
  if (state.pair !== 'whole')
    return failed(
      state.pair === 'of two keys'
        ? `${publicKey} does not belong to ${privateKey}: tokens that are signed here are refused.`
        : `${publicKey} is missing.`,
      'Restart Cool Mint: it makes the public key of the private one.',
    );
  // A mounted secret belongs to the group of the container.
  if (process.platform !== 'win32' && (state.mode & 0o007) !== 0)
    return warning(
      `Everybody on this machine may read ${privateKey} (mode ${state.mode.toString(8)}), and sign tokens with it.`,
      `Take that right away: chmod 600 ${privateKey}`,
    );
  return ok(`a key pair in ${dataDir}`);
}

/** In milliseconds; null where the token does not say. Unchecked. */
function endOf(token: string): number | null {
  try {
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
      exp?: unknown;
    };
    return typeof exp === 'number' ? exp * 1_000 : null;
  } catch {
    return null;
  }
}
