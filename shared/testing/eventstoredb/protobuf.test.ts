import { expect, test } from 'vitest';
import { shared, streams, uuidMessage, uuidText } from './protobuf.ts';
import { eventEncoder } from './read-messages.ts';

test('a UUID comes back from either of its forms', () => {
  for (const id of ['00000000-0000-4000-8000-000000000001', 'ffffffff-ffff-ffff-ffff-ffffffffffff'])
    for (const structured of [false, true]) expect(uuidText(uuidMessage(id, structured))).toBe(id);
});

test('the two halves are signed numbers', () => {
  const halves = uuidMessage('ffffffff-ffff-ffff-8000-000000000000', true).getStructured()!;
  expect(halves.getMostSignificantBits()).toBe('-1');
  expect(halves.getLeastSignificantBits()).toBe('-9223372036854775808');
});

test('a reader gets the form that it asked for', () => {
  const id = '00000000-0000-4000-8000-000000000001';
  const stored = { id, type: 'Noted', isJson: true, stream: 'a', position: 1, revision: 0n, created: 0n };
  const event = { ...stored, data: Buffer.alloc(0), metadata: Buffer.alloc(0) };
  const asked = (structured: boolean) => {
    const option = new streams.ReadReq.Options.UUIDOption();
    if (structured) option.setStructured(new shared.Empty());
    else option.setString(new shared.Empty());
    const options = new streams.ReadReq.Options().setUuidOption(option);
    return streams.ReadResp.deserializeBinary(eventEncoder(options)(event)).getEvent()!.getEvent()!.getId()!;
  };
  expect(asked(false).getString()).toBe(id);
  expect(asked(true).hasStructured()).toBe(true);
  expect(uuidText(asked(true))).toBe(id);
});
