/**
 * The service that a verb talks to: the one that MINT_URL names, else the one that runs on this machine, which left its
 * addresses in service.json of its data folder. On this machine a token is signed on the spot, for the wanted tenant; for
 * MINT_URL only where MINT_SIGN says that it takes them, for nobody else is to see one.
 */
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { CliError } from '#cli/cli-error.ts';
import { type Client, createClient } from '#cli/client.ts';
import type { CliConfig } from '#cli/config.ts';
import { issueToken, type TokenRequest } from '#shared/access/local-issuer.ts';
import { withoutCredentials } from '#shared/errors/without-credentials.ts';
import { systemTenant, tenantName } from '#shared/events/metadata.ts';

export interface FoundService {
  readonly client: Client;
  /** Null where the token does not tell. */
  readonly tenant: string | null;
  /** Health and metrics; none where the service is elsewhere, and MINT_ADMIN_URL does not say where. */
  readonly adminUrls: readonly string[];
}

const howToStart = 'Start it with: npm start';
const localActor = 'local-user';
const tokenHours = 1;
/** A token is used for half of its time, so that none ends under way. */
const renewAfterMilliseconds = (tokenHours * 3_600_000) / 2;

const serviceFile = z.object({ url: z.url(), adminUrl: z.url().nullish(), pid: z.int().positive() });

/** `tenant`: what the caller asked for with --tenant; absent: `main`, or what MINT_TOKEN says. */
export async function findService(
  config: CliConfig,
  { tenant }: { readonly tenant?: string | undefined } = {},
): Promise<FoundService> {
  const userAgent = userAgentOf(config);
  if (config.token !== null && tenant !== undefined)
    throw new CliError(
      '--tenant cannot be combined with MINT_TOKEN: the tenant is in the token. Leave --tenant out, or use a token of that tenant.',
    );
  if (config.url !== null) {
    checkUrl(config.url);
    if (config.token === null && !config.signs)
      throw new CliError(
        'MINT_URL is set, MINT_TOKEN is not. Set it to a token for that service; on its machine "npx cool-mint token" prints one.',
      );
    return found(config.url, 'Check MINT_URL, and whether the service runs.', config.adminUrls);
  }
  const { url, adminUrl } = await runningService(config.dataDir);
  return found(url, howToStart, adminUrl ? [adminUrl] : []);

  async function found(url: string, whenAway: string, adminUrls: readonly string[]): Promise<FoundService> {
    const wanted = tenant ?? 'main';
    const { token } = config;
    const tokens = token === null ? localTokens(config.dataDir, wanted) : async () => token;
    // Asked for once before anything else, so that a missing key is told at once.
    await tokens();
    const client = createClient({ url, token: tokens, whenAway, userAgent });
    return { client, tenant: token === null ? wanted : tenantOfToken(token), adminUrls };
  }
}

export const userAgentOf = ({ version }: CliConfig): string => `cool-mint-cli/${version}`;

export function checkUrl(url: string): void {
  if (!URL.canParse(url) || !/^https?:/.test(url))
    throw new CliError(
      `MINT_URL is no http address: "${withoutCredentials(url)}". Give the origin, such as http://127.0.0.1:3000.`,
    );
  // Nothing of a password, well written or not, is shown.
  if (/[@?#]/.test(url))
    throw new CliError(
      'MINT_URL has an @, ? or # in it, which means nothing here. Give the origin, and a token in MINT_TOKEN.',
    );
}

/** What the service of this data folder left about itself. Throws a CliError where it does not run. */
export async function runningService(dataDir: string): Promise<z.infer<typeof serviceFile>> {
  let text: string;
  try {
    text = await readFile(path.join(dataDir, 'service.json'), 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR')
      throw new CliError(
        `service.json in ${dataDir} cannot be read (${code}). Run this as the user who started Cool Mint.`,
      );
    throw new CliError(
      `Cool Mint does not run on this machine (data folder ${dataDir}). ${howToStart}\n  For a service elsewhere set MINT_URL and MINT_TOKEN.`,
    );
  }
  const found = serviceFile.safeParse(parse(text));
  if (!found.success) throw new CliError(`service.json in ${dataDir} is damaged. Restart Cool Mint: npm start`);
  if (!isAlive(found.data.pid))
    throw new CliError(`Cool Mint was running at ${found.data.url}, but its process is gone. ${howToStart}`);
  return found.data;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function localTokens(dataDir: string, tenant: string): () => Promise<string> {
  let current: { readonly token: string; readonly until: number } | null = null;
  return async () => {
    const now = performance.now();
    if (current === null || now > current.until)
      current = { token: await signToken(dataDir, { tenant, hours: tokenHours }), until: now + renewAfterMilliseconds };
    return current.token;
  };
}

/** A token of this machine. The actor is no person's name; that stands in the token's name, which can be erased. */
export async function signToken(
  dataDir: string,
  request: Omit<TokenRequest, 'actor'> & { readonly actor?: string | undefined },
): Promise<string> {
  const tenant = tenantName.safeParse(request.tenant);
  if (!tenant.success || tenant.data === systemTenant)
    throw new CliError(
      `There is no tenant "${request.tenant}": ${tenant.success ? 'that name is reserved' : (tenant.error.issues[0]?.message ?? 'not a name')}.`,
    );
  try {
    return await issueToken(dataDir, {
      ...request,
      actor: request.actor ?? localActor,
      name: request.name ?? userName(),
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    if (code !== 'ENOENT')
      throw new CliError(
        `The signing key in ${dataDir} cannot be read (${code}). Run this as the user who started Cool Mint.`,
      );
    throw new CliError(
      `There is no signing key in ${dataDir} yet: the first "npm start" makes it.\n  Where your service takes tokens of an identity provider, set MINT_TOKEN to one of those.`,
    );
  }
}

function userName(): string | undefined {
  try {
    return os.userInfo().username;
  } catch {
    return undefined;
  }
}

/** What the token says, unchecked: for messages and for caution, never for access. */
function tenantOfToken(token: string): string | null {
  const claims = parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
    tenant?: unknown;
  } | null;
  return typeof claims?.tenant === 'string' ? claims.tenant : null;
}
