/** REDIS_URL and REDIS_TLS_CA_FILE, checked before the client sees them. Messages never show the password. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { RedisOptions } from 'ioredis';
import { SetupError } from '#shared/errors/setup-error.ts';

export interface RedisAddress {
  readonly options: Pick<RedisOptions, 'host' | 'port' | 'db' | 'username' | 'password' | 'tls'>;
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly database: number;
  /** For messages. */
  readonly place: string;
}

const example = 'It looks like redis://user:password@host:6379/0, or rediss://… for TLS.';

function refuse(what: string): never {
  throw new SetupError(`REDIS_URL ${what} ${example}`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return refuse('has a % in its user or password that is no percent-encoding; write it as %25.');
  }
}

function authorities(file: string | undefined, tls: boolean): string | undefined {
  if (file === undefined) return undefined;
  if (!tls)
    throw new SetupError('REDIS_TLS_CA_FILE is set, but REDIS_URL is without TLS: write rediss://, or unset it.');
  try {
    const text = readFileSync(file, 'utf8');
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  } catch (error) {
    throw new SetupError(`REDIS_TLS_CA_FILE: ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
  throw new SetupError(`REDIS_TLS_CA_FILE: ${file} holds no certificate in PEM form.`);
}

export function redisAddress(redisUrl: string, tlsCaFile?: string): RedisAddress {
  let url: URL;
  try {
    url = new URL(redisUrl.trim());
  } catch {
    return refuse('is no URL; in a password write @ as %40, : as %3A, / as %2F and # as %23.');
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') refuse('must begin with redis:// or rediss://.');
  if (url.hostname === '') refuse('names no host.');
  if (url.search !== '' || url.hash !== '')
    refuse('has a ? or # in it, which means nothing here; in a password write them as %3F and %23.');
  const database = url.pathname.replace(/^\/$/, '').slice(1) || '0';
  if (!/^\d{1,5}$/.test(database)) refuse('has a path that is not the number of a database.');
  const tls = url.protocol === 'rediss:';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = Number(url.port || 6379);
  const ca = authorities(tlsCaFile, tls);
  return {
    host,
    port,
    tls,
    database: Number(database),
    place: `${url.hostname}:${port}`,
    options: {
      host,
      port,
      db: Number(database),
      ...(url.username ? { username: decoded(url.username) } : {}),
      ...(url.password ? { password: decoded(url.password) } : {}),
      ...(tls ? { tls: { ...(ca ? { ca } : {}), ...(isIP(host) ? {} : { servername: host }) } } : {}),
    },
  };
}
