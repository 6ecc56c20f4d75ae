/**
 * Holds the double to what a real server answered: 40 scenarios, in their order, on one fresh server. The recordings
 * lie outside of the repository; where they are not at hand, nothing is compared.
 */
import type { ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import { Client, credentials } from '@grpc/grpc-js';
import type { Message } from 'google-protobuf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { differences, noCorrespondence } from './compare-answers.ts';
import { streams, uuidMessage } from './protobuf.ts';
import { type CallEnd, loadRecordings, type Recording } from './recordings.ts';
import { type ReplayedCall, replay } from './replay-recording.ts';
import { type EventStoreDouble, startEventStoreDouble } from './start-double.ts';

const recordings = loadRecordings();
/** Appends carry their deadlines: the double must live when the recordings were made. */
const recordedAt = Date.parse('2026-11-21T10:08:55Z');

/** Microseconds that pass between two looks at the clock: each event of the recordings has a time of its own. */
const tickMs = 0.01;

describe.skipIf(recordings.length === 0)('the recordings of a real server (skipped where they are not at hand)', () => {
  const replayed = new Map<string, readonly ReplayedCall[]>();
  const found = new Map<string, readonly string[]>();
  const known = noCorrespondence();
  let double: EventStoreDouble;
  let client: Client;

  beforeAll(async () => {
    let now = recordedAt;
    const clock = (): number => {
      now += tickMs;
      return now;
    };
    double = await startEventStoreDouble({ now: clock });
    client = new Client(`127.0.0.1:${double.port}`, credentials.createInsecure());
    for (const recording of recordings) {
      const calls = await replay(client, recording);
      replayed.set(recording.scenario, calls);
      found.set(recording.scenario, differencesOf(recording, calls, known));
    }
  });
  afterAll(async () => {
    client?.close();
    await double?.[Symbol.asyncDispose]();
  });

  test('are complete', () => {
    expect(recordings).toHaveLength(40);
  });

  test.each(recordings.map(({ scenario }) => scenario))('%s', (scenario) => {
    expect(found.get(scenario)).toEqual([]);
  });

  test('have the very positions of the double, because its records are as long as real ones', () => {
    expect(known.positions.unlike()).toEqual([]);
  });

  describe('an answer that differs is noticed', () => {
    /** The scenario compared again, with the answers of one of its calls changed. */
    function differencesWith(
      scenario: string,
      method: string,
      change: (call: ReplayedCall) => ReplayedCall,
    ): readonly string[] {
      const recording = recordings.find((one) => one.scenario === scenario)!;
      const calls = replayed.get(scenario)!;
      const at = recording.calls.findIndex((call) => call.method.endsWith(`/${method}`));
      return differencesOf(
        recording,
        calls.map((call, index) => (index === at ? change(call) : call)),
      );
    }
    const withAnswer = (index: number, answer: Message) => (call: ReplayedCall) => ({
      ...call,
      answers: call.answers.with(index, Buffer.from(answer.serializeBinary())),
    });
    const readAnswer = (scenario: string, index: number): ReadResp =>
      streams.ReadResp.deserializeBinary(replayed.get(scenario)![0]!.answers[index]!);

    test('though nothing is found where nothing was changed', () => {
      expect(differencesWith('read-stream', 'Read', (call) => call)).toEqual([]);
    });

    test('an answer is missing', () => {
      const shorter = (call: ReplayedCall) => ({ ...call, answers: call.answers.slice(0, -1) });
      expect(differencesWith('read-stream', 'Read', shorter)).toEqual(['Read: 3 answers instead of 4']);
    });

    test('an answer is there twice', () => {
      const longer = (call: ReplayedCall) => ({ ...call, answers: [...call.answers, call.answers[0]!] });
      expect(differencesWith('append-any', 'BatchAppend', longer)).toEqual(['BatchAppend: 2 answers instead of 1']);
    });

    test('an event has other data', () => {
      const answer = readAnswer('read-stream', 1);
      answer.getEvent()!.getEvent()!.setData(Buffer.from('{"subject":"Call","n":2}'));
      expect(differencesWith('read-stream', 'Read', withAnswer(1, answer))).toHaveLength(1);
    });

    test('an event of a client has another id', () => {
      const answer = readAnswer('read-stream', 1);
      answer.getEvent()!.getEvent()!.setId(uuidMessage('00000000-0000-4000-8000-000000000099', false));
      expect(differencesWith('read-stream', 'Read', withAnswer(1, answer))).toHaveLength(1);
    });

    test('a position is out of order', () => {
      const answer = readAnswer('read-stream', 3);
      answer.getEvent()!.getEvent()!.setCommitPosition('1000');
      expect(differencesWith('read-stream', 'Read', withAnswer(3, answer))[0]).toContain('does not fit the positions');
    });

    test('a position stands for two', () => {
      const [answer, next] = [readAnswer('read-stream', 1), readAnswer('read-stream', 2)];
      const position = next.getEvent()!.getCommitPosition();
      answer
        .getEvent()!
        .setCommitPosition(position)
        .getEvent()!
        .setCommitPosition(position)
        .setPreparePosition(position);
      expect(differencesWith('read-stream', 'Read', withAnswer(1, answer))[0]).toContain('does not fit the positions');
    });

    test('time goes backwards', () => {
      const answer = readAnswer('read-stream', 3);
      answer.getEvent()!.getEvent()!.getMetadataMap().set('created', '1');
      expect(differencesWith('read-stream', 'Read', withAnswer(3, answer))[0]).toContain('does not fit the times');
    });

    test('another field is set, though it holds what an unset one reads as', () => {
      const answer = readAnswer('read-stream-missing', 0).setFirstStreamPosition('0');
      expect(differencesWith('read-stream-missing', 'Read', withAnswer(0, answer))).toHaveLength(1);
    });

    test('a status has another code, other words, or lacks a trailer', () => {
      const ended = (change: Partial<CallEnd>) => (call: ReplayedCall) => ({
        ...call,
        status: { ...call.status!, ...change },
      });
      for (const change of [{ code: 5 }, { details: 'Gone.' }, { trailers: { exception: 'stream-deleted' } }])
        expect(differencesWith('read-stream-tombstoned', 'Read', ended(change))).toHaveLength(1);
    });

    test('a call never ends', () => {
      expect(differencesWith('read-stream', 'Read', (call) => ({ ...call, status: undefined }))).toHaveLength(1);
    });
  });
});

function differencesOf(
  { calls }: Recording,
  replays: readonly ReplayedCall[],
  known = noCorrespondence(),
): readonly string[] {
  return calls.flatMap((call, index) => differences(call, replays[index]!, known));
}
