/** What the command reads from its environment. Every setting may be absent. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const projectRoot = fileURLToPath(new URL('..', import.meta.url));

/** What verbs read beside DATA_DIR, with what it is. */
export const verbSettings = {
  MINT_URL: 'a service elsewhere, by its origin, instead of the one on this machine',
  MINT_TOKEN: 'a token for it; the tenant is in the token',
  MINT_SIGN: '`on`: the service of `MINT_URL` takes tokens of the key in the data folder, so they are signed here',
  MINT_ADMIN_URL:
    'where its processes tell health and metrics, with commas; of a name with several addresses each is asked',
} as const;

export interface CliConfig {
  /** MINT_URL */
  readonly url: string | null;
  /** MINT_TOKEN */
  readonly token: string | null;
  /** MINT_SIGN */
  readonly signs: boolean;
  /** MINT_ADMIN_URL */
  readonly adminUrls: readonly string[];
  /** DATA_DIR: the data folder of the service on this machine; relative to the project, as for `start`. */
  readonly dataDir: string;
  /** Of this command. */
  readonly version: string;
}

const withoutSlash = (url: string) => url.trim().replace(/\/+$/, '');

export function cliConfig(environment: Readonly<Record<string, string | undefined>> = process.env): CliConfig {
  const { version } = JSON.parse(readFileSync(path.join(projectRoot, 'package.json'), 'utf8')) as { version: string };
  return {
    url: withoutSlash(environment.MINT_URL ?? '') || null,
    token: environment.MINT_TOKEN?.trim() || null,
    signs: environment.MINT_SIGN?.trim() === 'on',
    adminUrls: (environment.MINT_ADMIN_URL ?? '')
      .split(',')
      .map(withoutSlash)
      .filter((url) => url !== ''),
    dataDir: path.resolve(projectRoot, environment.DATA_DIR || '.data'),
    version,
  };
}
