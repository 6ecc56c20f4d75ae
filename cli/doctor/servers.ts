/** The servers that settings name: hosts and ports, and how they speak TLS. What is no address is left to its own check. */
import type { StartConfig } from '#cli/start/config.ts';
import { redisAddress } from '#shared/cache/redis/address.ts';
import { parseConnectionString } from '#shared/event-log/eventstoredb/connection-string.ts';

export interface Server {
  readonly setting: string;
  readonly host: string;
  readonly port: number;
  /** Postgres asks for TLS inside its own protocol. */
  readonly tls: 'no' | 'at once' | 'postgres';
  /** The file of an authority of one's own. */
  readonly caFile: string | null;
}

function hostAndPort(text: string, port: number): { host: string; port: number } {
  const [, host = text, given] = /^(.*?)(?::(\d+))?$/.exec(text.trim()) ?? [];
  return { host, port: Number(given ?? port) };
}

function ofUrl(setting: string, text: string): Server[] {
  const url = new URL(text);
  const tls = url.protocol === 'https:';
  return [
    {
      setting,
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: Number(url.port || (tls ? 443 : 80)),
      tls: tls ? 'at once' : 'no',
      caFile: null,
    },
  ];
}

function ofPostgres(setting: string, text: string): Server[] {
  const url = new URL(text);
  const secure = !['', 'disable'].includes(url.searchParams.get('sslmode') ?? '') || url.searchParams.has('ssl');
  // Without a host it is a socket of this machine.
  if (url.hostname === '' || url.hostname.startsWith('%2F')) return [];
  return [
    {
      setting,
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: Number(url.port || 5432),
      tls: secure ? 'postgres' : 'no',
      caFile: url.searchParams.get('sslrootcert'),
    },
  ];
}

function ofEventStore(text: string): Server[] {
  const { place, tls, tlsCaFile } = parseConnectionString(text);
  return place.split(',').map((each) => ({
    setting: 'EVENTSTORE_URL',
    ...hostAndPort(each, 2113),
    tls: tls ? ('at once' as const) : ('no' as const),
    caFile: tlsCaFile,
  }));
}

function ofKafka({ KAFKA_BROKERS = '', KAFKA_TLS, KAFKA_TLS_CA_FILE }: StartConfig): Server[] {
  const tls = KAFKA_TLS === 'on' || Boolean(KAFKA_TLS_CA_FILE);
  return KAFKA_BROKERS.split(',')
    .filter((each) => /:\d{1,5}$/.test(each.trim()))
    .map((each) => ({
      setting: 'KAFKA_BROKERS',
      ...hostAndPort(each, 9092),
      tls: tls ? ('at once' as const) : ('no' as const),
      caFile: KAFKA_TLS_CA_FILE ?? null,
    }));
}

function ofRedis(text: string, caFile: string | undefined): Server[] {
  const { host, port, tls } = redisAddress(text, caFile);
  return [{ setting: 'REDIS_URL', host, port, tls: tls ? 'at once' : 'no', caFile: caFile ?? null }];
}

export function serversOf(config: StartConfig, mintUrl: string | null): Server[] {
  const makers: readonly (() => Server[])[] = [
    () => (config.DATABASE_URL ? ofPostgres('DATABASE_URL', config.DATABASE_URL) : []),
    () => (config.DATABASE_DIRECT_URL ? ofPostgres('DATABASE_DIRECT_URL', config.DATABASE_DIRECT_URL) : []),
    () => (config.EVENTSTORE_URL ? ofEventStore(config.EVENTSTORE_URL) : []),
    () => ofKafka(config),
    () => (config.REDIS_URL ? ofRedis(config.REDIS_URL, config.REDIS_TLS_CA_FILE) : []),
    () => (config.AUTH_JWKS_URL ? ofUrl('AUTH_JWKS_URL', config.AUTH_JWKS_URL) : []),
    () => (mintUrl ? ofUrl('MINT_URL', mintUrl) : []),
  ];
  return makers.flatMap((make) => {
    try {
      return make();
    } catch {
      return [];
    }
  });
}
