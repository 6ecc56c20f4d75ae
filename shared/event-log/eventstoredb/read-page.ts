/**
 * One read of the server, always to its end or cancelled. A read that is only left early stays open on the
 * connection; after 99 of those every further read hangs. So nothing here iterates a stream of the client.
 */
import type { AllStreamResolvedEvent, Position, ResolvedEvent, StreamingRead } from '@eventstore/db-client';
import type { Expiry } from '#shared/event-log/eventstoredb/expiry.ts';

/** An event as the server holds it, of anyone. */
export interface ServerEvent {
  readonly id: string;
  readonly stream: string;
  readonly revision: bigint;
  readonly type: string;
  readonly data: unknown;
  readonly metadata: unknown;
  readonly position: Position;
}

export interface ServerPage {
  readonly events: readonly ServerEvent[];
  /** Whether the read was ended early because of its size: there is more. */
  readonly cut: boolean;
  /** What it takes in memory, about. */
  readonly bytes: number;
}

/**
 * Collects a read; ends it early once it holds more than so many bytes, but never with the first event alone: that may be
 * the one that the reader has, and the page would bring it nowhere. Rejects as the client does, or with NoAnswer.
 */
export function readPage(
  read: StreamingRead<ResolvedEvent | AllStreamResolvedEvent>,
  maxBytes: number,
  calls: Expiry,
): Promise<ServerPage> {
  return new Promise((resolve, reject) => {
    const events: ServerEvent[] = [];
    let bytes = 0;
    let over = false;
    const finish = () => {
      over = true;
      call.answered();
    };
    const cancel = () => {
      finish();
      void read.cancel().catch(() => undefined);
    };
    const call = calls.begin((error) => {
      cancel();
      reject(error);
    });
    read.on('error', (error) => {
      finish();
      reject(error);
    });
    read.on('end', () => {
      finish();
      resolve({ events, cut: false, bytes });
    });
    read.on('data', ({ event }: ResolvedEvent | AllStreamResolvedEvent) => {
      // What still flows in after the cut is let go, so that the cancelled call can end.
      if (!event?.position || over) return;
      call.heard();
      const { id, streamId, revision, type, data, metadata, position } = event;
      events.push({ id, stream: streamId, revision, type, data, metadata, position });
      bytes += eventBytes + roughBytes(data) + roughBytes(metadata);
      if (bytes < maxBytes || events.length < 2) return;
      cancel();
      resolve({ events, cut: true, bytes });
    });
  });
}

/** What an event takes beside its data and metadata, about. */
const eventBytes = 700;

/**
 * About what a value takes in memory; the client does not tell how many bytes it read. Without recursion: what others
 * wrote may be nested deeper than a stack is.
 */
function roughBytes(whole: unknown): number {
  let bytes = 0;
  const rest = [whole];
  while (rest.length > 0) {
    const value = rest.pop();
    if (typeof value === 'string') bytes += value.length;
    else if (value instanceof Uint8Array) bytes += value.length;
    else if (value !== null && typeof value === 'object')
      for (const key in value) {
        bytes += key.length;
        rest.push((value as Record<string, unknown>)[key]);
      }
    bytes += 8;
  }
  return bytes;
}
