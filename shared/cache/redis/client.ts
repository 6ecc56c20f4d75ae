/** Clients of ioredis that do nothing by themselves: no queue while away, no sending again, no print, no thrown event. */
import { Redis } from 'ioredis';
import type { RedisAddress } from '#shared/cache/redis/address.ts';
import { TimedOut, within } from '#shared/runtime/within.ts';

const connectMilliseconds = 1_000;
/** One that takes longer to say that it is there is no help as a cache. */
const pingMilliseconds = 20;

function newClient(
  address: RedisAddress,
  retry: ((times: number) => number) | null,
): { client: Redis; why(): Error | null } {
  const client = new Redis({
    ...address.options,
    lazyConnect: true,
    // The older protocol: every server and every proxy speaks it, and nothing of the newer is used.
    protocol: 2,
    disableClientInfo: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    connectTimeout: connectMilliseconds,
    retryStrategy: retry,
  });
  let last: Error | null = null;
  client.on('error', (error: Error) => {
    last = error;
  });
  return { client, why: () => last };
}

/** A connection that answers; rejects with what is in the way. It never connects again by itself. */
export async function connectedClient(address: RedisAddress): Promise<Redis> {
  const { client, why } = newClient(address, null);
  try {
    await within(connectMilliseconds, client.connect());
    // The first answer of a connection may wait for its credentials to be checked.
    await within(connectMilliseconds, client.ping());
    await within(pingMilliseconds, client.ping());
    // A database that is not there is only mentioned by the client, which then goes on in the first one.
    const mentioned = why();
    if (mentioned) throw mentioned;
    return client;
  } catch (error) {
    client.disconnect();
    // "Connection is closed" says less than what closed it.
    throw (error instanceof TimedOut ? null : why()) ?? error;
  }
}

/** A second connection that only hears; it connects again for as long as it lives. */
export function listeningClient(
  address: RedisAddress,
  channel: string,
  random: () => number,
  heard: (message: string) => void,
) {
  const { client } = newClient(address, (times) => Math.min(5_000, 100 * 2 ** times) * (0.5 + random() / 2));
  client.on('ready', () => void client.subscribe(channel).catch(() => undefined));
  client.on('message', (_channel, message) => heard(message));
  void client.connect().catch(() => undefined);
  return { close: () => client.disconnect() };
}
