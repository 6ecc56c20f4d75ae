/** What a real server and the client said to each other, recorded message by message. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import timestamp from 'google-protobuf/google/protobuf/timestamp_pb.js';
import { empty, shared, streams, uuidMessage } from './protobuf.ts';

/** One message; `seq` gives the order over all calls of a scenario. */
export interface RecordedMessage {
  readonly seq: number;
  readonly dir: '>' | '<';
  readonly bytes: Buffer;
}

/** How a call ended. */
export interface CallEnd {
  readonly code: number;
  readonly details: string;
  readonly trailers: Readonly<Record<string, string>>;
}

export interface RecordedCall {
  readonly method: string;
  readonly messages: readonly RecordedMessage[];
  readonly status: CallEnd;
}

export interface Recording {
  readonly scenario: string;
  readonly calls: readonly RecordedCall[];
}

/** As the files have it. Of two messages of a megabyte they keep only how long they were. */
interface MessageInFile {
  readonly seq: number;
  readonly dir: '>' | '<';
  readonly bytes?: string;
  readonly bytesLength?: number;
  readonly body: unknown;
}

/** The only path outside of the repository: the recordings lie beside it, where they are at hand. */
const folder = fileURLToPath(new URL('../../../../shared/data/eventstoredb-recordings/', import.meta.url));

/** In the order in which they were made, on one server; none if they are not at hand. */
export function loadRecordings(): readonly Recording[] {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return files.sort().map((name) => fromFile(JSON.parse(readFileSync(folder + name, 'utf8'))));
}

function fromFile(file: {
  scenario: string;
  calls: { method: string; messages: MessageInFile[]; status: CallEnd }[];
}): Recording {
  return {
    scenario: file.scenario,
    calls: file.calls.map(({ method, status, messages }) => ({
      method,
      status,
      messages: messages.map(({ seq, dir, bytes, bytesLength, body }) => ({
        seq,
        dir,
        bytes: bytes === undefined ? tooLargeAppend(body, bytesLength) : Buffer.from(bytes, 'base64'),
      })),
    })),
  };
}

/** The one kind of message that was cut: an append with a text of 1,100,000 times the letter x. */
function tooLargeAppend(body: unknown, length: number | undefined): Buffer {
  const { correlationId, options, proposedMessagesList } = body as {
    correlationId: { string: string };
    options: {
      streamIdentifier: { streamName: string };
      noStream?: object;
      deadline: { seconds: number; nanos: number };
    };
    proposedMessagesList: { id: { string: string }; customMetadata: string; metadataMap: [string, string][] }[];
  };
  const deadline = new timestamp.Timestamp();
  deadline.setSeconds(options.deadline.seconds);
  deadline.setNanos(options.deadline.nanos);
  const itsOptions = new streams.BatchAppendReq.Options()
    .setStreamIdentifier(new shared.StreamIdentifier().setStreamName(options.streamIdentifier.streamName))
    .setDeadline(deadline);
  if (options.noStream) itsOptions.setNoStream(new empty.Empty());
  else itsOptions.setAny(new empty.Empty());
  const request = new streams.BatchAppendReq()
    .setCorrelationId(uuidMessage(correlationId.string, false))
    .setOptions(itsOptions)
    .setIsFinal(true);
  for (const { id, customMetadata, metadataMap } of proposedMessagesList) {
    const message = new streams.BatchAppendReq.ProposedMessage()
      .setId(uuidMessage(id.string, false))
      .setCustomMetadata(customMetadata)
      .setData(Buffer.from(JSON.stringify({ x: 'x'.repeat(1_100_000) })));
    for (const [name, value] of metadataMap) message.getMetadataMap().set(name, value);
    request.addProposedMessages(message);
  }
  const bytes = Buffer.from(request.serializeBinary());
  if (bytes.length !== length) throw new Error(`Rebuilt ${bytes.length} bytes of a message of ${length}.`);
  return bytes;
}
