import { describe, expect, test } from 'vitest';
import { newEvent } from '#shared/event-log/contract.ts';
import { positionOf } from '#shared/event-log/position.ts';
import { type KafkaRecord, readRecord, recordOf, recordOfWatermark } from '#shared/transport/kafka/record.ts';

const logId = '7a000000';
const delivered = (id: string) => ({
  slot: 17,
  previous: positionOf(id, 4),
  ordinal: 3,
  event: { ...newEvent('acme', { text: 'a\u0000b' }), stream: 'selection-1', revision: 2, position: positionOf(id, 5) },
});
const watermark = (id: string) => ({
  position: positionOf(id, 9),
  time: '2026-11-01T10:00:00.000Z',
  previous: new Map([
    [17, positionOf(id, 5)],
    [18, positionOf(id, 0)],
  ]),
});
/** As the client gives it. */
const received = ({ value, headers }: KafkaRecord) => ({
  value: Buffer.from(value),
  headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
});

describe('a record on the topic', () => {
  test('comes back as it was sent', () => {
    const event = delivered(logId);
    expect(readRecord(received(recordOf(event, 6)), logId)).toEqual({ kind: 'event', delivered: event, epoch: 6 });
    const mark = watermark(logId);
    expect(readRecord(received(recordOfWatermark(mark, 6)), logId)).toEqual({
      kind: 'watermark',
      watermark: mark,
      epoch: 6,
    });
  });

  test.each(['00000001', 'ffffffff'])('of log %s is foreign, on whichever side of ours its positions sort', (other) => {
    expect(readRecord(received(recordOf(delivered(other), 1)), logId)).toEqual({ kind: 'foreign' });
    expect(readRecord(received(recordOfWatermark(watermark(other), 1)), logId)).toEqual({ kind: 'foreign' });
    const mixed = { ...delivered(logId), previous: positionOf(other, 4) };
    expect(readRecord(received(recordOf(mixed, 1)), logId)).toEqual({ kind: 'foreign' });
    const previous = new Map([[17, positionOf(other, 5)]]);
    expect(readRecord(received(recordOfWatermark({ ...watermark(logId), previous }, 1)), logId)).toEqual({
      kind: 'foreign',
    });
  });

  test('that is damaged is foreign, whatever is missing', () => {
    const whole = recordOf(delivered(logId), 1);
    for (const name of Object.keys(whole.headers)) {
      if (/^(content-type|ce_specversion|ce_source|ce_time|ce_tenant|ce_traceparent)$/.test(name)) continue;
      const { [name]: _, ...headers } = whole.headers;
      expect([name, readRecord(received({ ...whole, headers }), logId)]).toEqual([name, { kind: 'foreign' }]);
    }
    expect(readRecord(received({ ...whole, value: '{"text":' }), logId)).toEqual({ kind: 'foreign' });
    expect(readRecord({ value: null }, logId)).toEqual({ kind: 'foreign' });
  });
});
