import type { Command } from '#command-service/command.ts';
import { currentVersion } from '#shared/events/codec.ts';
import type { EventType } from '#shared/events/event.ts';
import type { EventMetadata } from '#shared/events/metadata.ts';
import { currentTraceparent } from '#shared/telemetry/span.ts';

/** What an event that a command causes says about itself. `tenant`: whose stream it is; `recordedAt` is now. */
export function eventMetadata(command: Command, tenant: string, type: EventType, recordedAt: Date): EventMetadata {
  return {
    tenant,
    recordedAt: recordedAt.toISOString(),
    actor: command.actor,
    commandId: command.id,
    requestHash: command.requestHash,
    correlationId: command.correlationId,
    causationId: null,
    traceparent: currentTraceparent(),
    schemaVersion: currentVersion(type),
  };
}
