/** Sends a recording's requests again, byte for byte and in the recorded order, and notes what comes back. */
import { setTimeout as wait } from 'node:timers/promises';
import { type Client, Metadata, type StatusObject, status } from '@grpc/grpc-js';
import type { CallEnd, RecordedCall, Recording } from './recordings.ts';

/** What one call of a recording got this time. */
export interface ReplayedCall {
  readonly answers: readonly Buffer[];
  /** Undefined if the call never ended. */
  readonly status: CallEnd | undefined;
}

interface OpenCall {
  readonly answers: Buffer[];
  status: CallEnd | undefined;
  send(bytes: Buffer): void;
  cancel(): void;
}

/** An answer or an end that does not come within this time is missing; the comparison will say so. */
const patienceMs = 5_000;

const same = (bytes: Buffer): Buffer => bytes;

/** The calls of the recording, in its order. A message is sent when everything recorded before it has come back. */
export async function replay(client: Client, { calls }: Recording): Promise<readonly ReplayedCall[]> {
  const open = new Map<RecordedCall, OpenCall>();
  const inOrder = calls
    .flatMap((call) => call.messages.map((message) => ({ call, ...message })))
    .sort((one, other) => one.seq - other.seq);
  const expected = new Map<RecordedCall, number>();
  for (const { call, dir, bytes } of inOrder) {
    if (dir === '>') {
      const running = open.get(call);
      if (running) running.send(bytes);
      else open.set(call, openCall(client, call, bytes));
    } else {
      const count = (expected.get(call) ?? 0) + 1;
      expected.set(call, count);
      await until(() => open.get(call)!.answers.length >= count);
    }
  }
  // Whatever else the server wanted to say about these messages it has said before it answers this.
  await roundTrip(client);
  const ended = calls.map(async (call): Promise<ReplayedCall> => {
    const { answers, cancel } = open.get(call)!;
    if (call.status.code === status.CANCELLED) cancel();
    await until(() => open.get(call)!.status !== undefined);
    return { answers, status: open.get(call)!.status };
  });
  return await Promise.all(ended);
}

function openCall(client: Client, { method, messages }: RecordedCall, first: Buffer): OpenCall {
  const call: OpenCall = { answers: [], status: undefined, send: () => {}, cancel: () => {} };
  const answered = (answer: Buffer): void => void call.answers.push(answer);
  const over = ({ code, details, metadata }: StatusObject): void => {
    call.status = { code, details, trailers: textsOf(metadata) };
  };
  const ignore = (): void => {};
  const metadata = new Metadata();
  if (method.endsWith('/BatchAppend')) {
    const stream = client.makeBidiStreamRequest(method, same, same, metadata);
    stream.on('data', answered).on('status', over).on('error', ignore);
    call.send = (bytes) => void stream.write(bytes);
    call.cancel = () => stream.cancel();
    call.send(first);
  } else if (method.endsWith('/Append')) {
    const done = (_error: unknown, answer?: Buffer): void => void (answer && answered(answer));
    const stream = client.makeClientStreamRequest(method, same, same, metadata, done);
    stream.on('status', over);
    let left = messages.filter(({ dir }) => dir === '>').length;
    call.send = (bytes) => {
      stream.write(bytes);
      left -= 1;
      if (left === 0) stream.end();
    };
    call.send(first);
  } else {
    // A unary call is a stream of one answer; as such it shows what comes beyond the first one.
    const stream = client.makeServerStreamRequest(method, same, same, first, metadata);
    stream.on('data', answered).on('status', over).on('error', ignore);
    call.cancel = () => stream.cancel();
  }
  return call;
}

function textsOf(metadata: Metadata): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(metadata.getMap()).map(([name, value]) => [name, value.toString()]));
}

function roundTrip(client: Client): Promise<void> {
  const method = '/event_store.client.server_features.ServerFeatures/GetSupportedMethods';
  return new Promise((resolve) => {
    client.makeUnaryRequest(method, same, same, Buffer.alloc(0), () => resolve());
  });
}

async function until(condition: () => boolean): Promise<void> {
  const giveUp = performance.now() + patienceMs;
  while (!condition() && performance.now() < giveUp) await wait(1);
}
