/**
 * An event as a Kafka record, and back: CloudEvents in binary mode (attributes are headers, the value is the data),
 * with what a receiver needs to notice loss, repetition and reordering. A watermark is a record too.
 *
 * These names are what stands on the topic: other versions of us, and other readers, depend on them.
 */
import type { IHeaders } from 'kafkajs';
import { z } from 'zod';
import { isPosition, logIdOf, type Position } from '#shared/event-log/position.ts';
import type { EventMetadata } from '#shared/events/metadata.ts';
import { slotCount } from '#shared/transport/slot.ts';
import type { DeliveredEvent, Watermark } from '#shared/transport/transport.ts';

export const watermarkType = 'CoolMintWatermark';

export interface KafkaRecord {
  readonly key: string | null;
  readonly value: string;
  readonly headers: Record<string, string>;
}

/** `epoch` is that of the relay's lease; a record of an earlier one than was seen is a loser's. */
export function recordOf({ slot, previous, ordinal, event }: DeliveredEvent, epoch: number): KafkaRecord {
  const { metadata } = event;
  return {
    key: metadata.tenant,
    value: JSON.stringify(event.data),
    headers: {
      'content-type': 'application/json',
      ce_specversion: '1.0',
      ce_id: event.id,
      ce_type: event.type,
      ce_source: `/cool-mint/${logIdOf(event.position)}`,
      ce_subject: event.stream,
      ce_time: metadata.recordedAt,
      ...(metadata.traceparent ? { ce_traceparent: metadata.traceparent } : {}),
      ce_tenant: metadata.tenant,
      ce_position: event.position,
      ce_previous: previous,
      ce_slot: String(slot),
      ce_ordinal: String(ordinal),
      ce_revision: String(event.revision),
      ce_epoch: String(epoch),
      metadata: JSON.stringify(metadata),
    },
  };
}

export function recordOfWatermark({ position, time, previous }: Watermark, epoch: number): KafkaRecord {
  return {
    key: null,
    value: JSON.stringify({ time, previous: Object.fromEntries(previous) }),
    headers: {
      'content-type': 'application/json',
      ce_specversion: '1.0',
      ce_id: position,
      ce_type: watermarkType,
      ce_source: `/cool-mint/${logIdOf(position)}`,
      ce_position: position,
      ce_epoch: String(epoch),
    },
  };
}

const position = z.string().refine(isPosition);
const slot = z.coerce
  .number()
  .int()
  .min(0)
  .max(slotCount - 1);
const count = z.coerce.number().int().min(0);

const eventHeaders = z.object({
  ce_id: z.uuid(),
  ce_type: z.string().min(1),
  ce_subject: z.string().min(1),
  ce_position: position,
  ce_previous: position,
  ce_slot: slot,
  ce_ordinal: count,
  ce_revision: count,
  ce_epoch: count,
  metadata: z.string(),
});
const watermarkHeaders = z.object({ ce_type: z.literal(watermarkType), ce_position: position, ce_epoch: count });
const watermarkValue = z.object({ time: z.string().nullable(), previous: z.record(z.string(), position) });
const metadataShape = z.looseObject({ tenant: z.string(), recordedAt: z.string(), schemaVersion: z.number() });

export type Read =
  | { readonly kind: 'event'; readonly delivered: DeliveredEvent; readonly epoch: number }
  | { readonly kind: 'watermark'; readonly watermark: Watermark; readonly epoch: number }
  /** Of another log, of somebody else, or damaged: what is missing for it shows as a gap. */
  | { readonly kind: 'foreign' };

const foreign: Read = { kind: 'foreign' };

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Reads a record about the log with this id. Positions of different logs compare by chance: a record of another one (of
 * the log before a restore, or of an installation that shares the topic) taken for ours would exchange checkpoints.
 */
export function readRecord(
  record: { readonly value: Buffer | null; readonly headers?: IHeaders | undefined },
  logId: string,
): Read {
  const ours = (positions: Iterable<Position>) => [...positions].every((position) => logIdOf(position) === logId);
  const headers = Object.fromEntries(
    Object.entries(record.headers ?? {}).map(([name, value]) => [name, value === undefined ? '' : String(value)]),
  );
  const value = json(record.value?.toString('utf8') ?? '');
  const marked = watermarkHeaders.safeParse(headers);
  if (marked.success) {
    const told = watermarkValue.safeParse(value);
    if (!told.success) return foreign;
    const previous = new Map(
      Object.entries(told.data.previous).map(([name, at]): [number, Position] => [Number(name), at]),
    );
    const watermark = { position: marked.data.ce_position, time: told.data.time, previous };
    if (!ours([watermark.position, ...previous.values()])) return foreign;
    return { kind: 'watermark', watermark, epoch: marked.data.ce_epoch };
  }
  const read = eventHeaders.safeParse(headers);
  if (!read.success || value === undefined || !ours([read.data.ce_position, read.data.ce_previous])) return foreign;
  const metadata = metadataShape.safeParse(json(read.data.metadata));
  if (!metadata.success) return foreign;
  const { data } = read;
  return {
    kind: 'event',
    delivered: {
      slot: data.ce_slot,
      previous: data.ce_previous,
      ordinal: data.ce_ordinal,
      event: {
        id: data.ce_id,
        type: data.ce_type,
        stream: data.ce_subject,
        revision: data.ce_revision,
        position: data.ce_position,
        data: value,
        metadata: metadata.data as unknown as EventMetadata,
      },
    },
    epoch: data.ce_epoch,
  };
}
