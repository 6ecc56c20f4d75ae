/**
 * The first connection, at start. A Redis that is away is only a cache that is away. One that is there and cannot
 * be used as the settings say is a mistake of the settings: a SetupError that says which, and never shows the password.
 */
import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Redis } from 'ioredis';
import type { RedisAddress } from '#shared/cache/redis/address.ts';
import { connectedClient } from '#shared/cache/redis/client.ts';
import { SetupError } from '#shared/errors/setup-error.ts';
import { tlsProblem } from '#shared/errors/tls-problem.ts';
import { within } from '#shared/runtime/within.ts';

const trialMilliseconds = 1_000;

/** What Redis answers, by the beginning of it, and what it means. */
const refusals: readonly (readonly [RegExp, string])[] = [
  [/^WRONGPASS|^ERR invalid password/i, 'refuses the user or password; correct them in REDIS_URL'],
  [/^NOAUTH/, 'asks for a password; write redis://:password@host:port in REDIS_URL'],
  [/without any password configured/, 'has no password, but REDIS_URL gives one; take it out, or set one in Redis'],
  [/DB index is out of range/, 'has no database of the number at the end of REDIS_URL'],
  [/^NOPERM/, 'does not permit this user what a cache needs (+@all on the keys and channels "cool-mint:*")'],
  [/^READONLY/, 'is a replica, which takes no writes; name the primary in REDIS_URL'],
  [/^DENIED/, 'is in protected mode, and this is another machine; give Redis a password and put it into REDIS_URL'],
];

/** Whether the port speaks TLS, whatever its certificate. */
async function speaksTls({ host, port }: RedisAddress): Promise<boolean> {
  const socket = connectTls({ host, port, rejectUnauthorized: false });
  socket.on('error', () => undefined);
  try {
    await within(trialMilliseconds, once(socket, 'secureConnect'));
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Whether the port answers a plain command, if only to refuse it. */
async function speaksPlainly({ host, port }: RedisAddress): Promise<boolean> {
  const socket = connectPlain({ host, port });
  socket.on('error', () => undefined);
  try {
    socket.write('PING\r\n');
    const [answer] = (await within(trialMilliseconds, once(socket, 'data'))) as [Buffer];
    return /^[+-]/.test(answer.toString('latin1'));
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Throws where the settings are wrong; answers shortly why Redis cannot be reached else. */
async function explain(address: RedisAddress, error: NodeJS.ErrnoException): Promise<void> {
  const refuse = (what: string) => {
    throw new SetupError(
      `REDIS_URL: the Redis at ${address.place} ${what}. Or leave REDIS_URL unset to cache in memory.`,
    );
  };
  for (const [pattern, what] of refusals) if (pattern.test(error.message)) refuse(what);
  const certificate = address.tls ? tlsProblem(error, 'Name the file of its authority in REDIS_TLS_CA_FILE.') : null;
  if (certificate) refuse(`cannot be used: ${certificate.slice(0, -1)}`);
  // A port that only closes or keeps silent: is it the other kind?
  if (address.tls && (await speaksPlainly(address))) refuse('does not speak TLS on this port; write redis://');
  if (!address.tls && (await speaksTls(address))) refuse('speaks TLS on this port; write rediss://');
}

/** A connection that answers, or why there is none at the moment. */
export type FirstConnection = { readonly client: Redis } | { readonly client: null; readonly reason: string };

/** Only connects; whether we may write is not tried. */
export async function reach(address: RedisAddress): Promise<FirstConnection> {
  try {
    return { client: await connectedClient(address) };
  } catch (error) {
    await explain(address, error as NodeJS.ErrnoException);
    return { client: null, reason: (error as Error).message };
  }
}

export async function firstConnection(address: RedisAddress, prefix: string): Promise<FirstConnection> {
  const reached = await reach(address);
  if (!reached.client) return reached;
  const { client } = reached;
  try {
    await within(
      trialMilliseconds,
      client.eval(
        "redis.call('set', KEYS[1], '', 'PX', 1000) return redis.call('publish', ARGV[1], '')",
        1,
        `${prefix}start`,
        `${prefix}start`,
      ),
    );
    return { client };
  } catch (error) {
    client.disconnect();
    await explain(address, error as NodeJS.ErrnoException);
    return { client: null, reason: (error as Error).message };
  }
}
