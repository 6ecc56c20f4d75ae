/** The event log that the settings ask for: EventStoreDB where its URL is given, else the table in Postgres. */
import type { Pool } from 'pg';
import type { EventLog } from '#shared/event-log/event-log.ts';
import { eventStoreLog } from '#shared/event-log/eventstoredb-event-log.ts';
import { measuredEventLog } from '#shared/event-log/measured-event-log.ts';
import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

export interface EventLogSettings {
  /** EVENTSTORE_URL */
  readonly eventstoreUrl?: string | undefined;
  /** EVENTSTORE_STREAM_PREFIX */
  readonly eventstoreStreamPrefix?: string | undefined;
  readonly pool: Pool;
  /** For LISTEN; must be a session, not a transaction pooler. */
  readonly directUrl: string;
  readonly runtime?: Runtime;
}

/** Rejects with a SetupError where the server that is asked for cannot be used. */
export async function connectEventLog(settings: EventLogSettings): Promise<EventLog> {
  const { eventstoreUrl, eventstoreStreamPrefix, pool, directUrl } = settings;
  const runtime = settings.runtime ? { runtime: settings.runtime } : {};
  return measuredEventLog(
    eventstoreUrl
      ? await eventStoreLog({ url: eventstoreUrl, prefix: eventstoreStreamPrefix ?? '', ...runtime })
      : await postgresEventLog({ pool, directUrl, ...runtime }),
  );
}
