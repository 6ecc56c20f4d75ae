/** The relay as a part of a process: its loop, its status, its end. */
import { loopStatus } from '#projector/metrics.ts';
import { type RelayParts, type RelayStatus, runRelay } from '#projector/relay.ts';

export interface Relay {
  readonly status: RelayStatus;
  stop(): Promise<void>;
}

export function startRelay(parts: RelayParts): Relay {
  const stop = new AbortController();
  const status: RelayStatus = { state: 'waiting', error: null, tickedAt: parts.runtime.now().getTime() };
  loopStatus.relay = status;
  const loop = runRelay(parts, status, stop.signal);
  return {
    status,
    async stop() {
      stop.abort();
      await loop;
      if (loopStatus.relay === status) loopStatus.relay = null;
    },
  };
}
