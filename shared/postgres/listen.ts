/** LISTEN on a session of its own, reconnected for ever. A lost notification only costs its listener a poll interval. */
import { Client } from 'pg';
import { endSession } from '#shared/postgres/end-session.ts';
import { backOff } from '#shared/runtime/backoff.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

export interface Listener {
  close(): Promise<void>;
}

export function listen(url: string, channel: string, heard: () => void, runtime: Runtime): Listener {
  const stop = new AbortController();
  let client: Client | null = null;
  let connecting: Promise<unknown> = Promise.resolve();

  const running = (async () => {
    for (let attempt = 0; !stop.signal.aborted; attempt++) {
      const session = new Client({
        connectionString: url,
        application_name: `cool-mint listen ${channel}`,
        keepAlive: true,
        connectionTimeoutMillis: 5_000,
      });
      client = session;
      const ended = new Promise<void>((resolve) => {
        session.on('end', resolve);
        session.on('error', () => resolve());
      });
      session.on('notification', heard);
      try {
        connecting = session.connect();
        await connecting;
        await session.query(`listen ${channel}`);
        attempt = 0;
        heard();
        await ended;
      } catch {
        // the next attempt tells; subscriptions poll meanwhile
      }
      await endSession(session);
      if (!stop.signal.aborted) await backOff(runtime, attempt, { base: 100, cap: 5_000, signal: stop.signal });
    }
  })();

  return {
    async close() {
      stop.abort();
      // To be ended while it still shakes hands would leave the session, and whoever waits for it, hanging for ever.
      await connecting.catch(() => undefined);
      if (client) await endSession(client);
      await running;
    },
  };
}
