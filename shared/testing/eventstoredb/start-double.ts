/**
 * A protocol double of EventStoreDB 23.10, for tests where no real server is at hand: it speaks gRPC to the real
 * client, keeps its log in memory (and in a journal, if it is given a file), and can be told to misbehave. `recordings.test.ts` holds it to what a real server
 * answered.
 */
import { createFaults, type Fault } from './faults.ts';
import { createGate } from './gate.ts';
import { journalledStore } from './journal.ts';
import { createListener } from './listener.ts';
import type { Counts, ServerNode } from './node.ts';
import { type Certificate, serveConnection } from './serve-connection.ts';
import { createStore, type StoreOptions } from './store.ts';
import { epochStream, type StoredEvent } from './stored-event.ts';
import { type Credentials, countCalls, type OpenCalls, requireCredentials } from './watch-calls.ts';

/** A stored event as an assertion wants it. */
export interface StoredDoubleEvent {
  readonly stream: string;
  readonly revision: bigint;
  readonly id: string;
  readonly type: string;
  /** Parsed if the client called it JSON, else the bytes. */
  readonly data: unknown;
  /** Parsed; undefined if there was none. */
  readonly metadata: unknown;
  /** Commit and prepare position alike. */
  readonly position: bigint;
}

/** A running double. Disposing of it is killing it for good. */
export interface EventStoreDouble extends AsyncDisposable {
  /** Connection string, without name and password. */
  readonly url: string;
  readonly port: number;
  /** Makes the nth call of that kind from now on go wrong. */
  inject(fault: Fault): void;
  clearFaults(): void;
  /** Faults that were injected and have not struck yet. */
  waitingFaults(): number;
  /** Drops every subscriber of the moment, as one that does not keep up is dropped. */
  dropSubscribers(): void;
  /** The process dies: connections are reset, nothing listens. The data stays. */
  kill(): Promise<void>;
  /** It comes back on the same port with its data, having forgotten the ids that it remembered. */
  restart(): Promise<void>;
  /** As SIGSTOP: connections stay, and new ones are taken, but nothing is read or answered. */
  freeze(): void;
  /** As SIGCONT. */
  thaw(): void;
  /** Calls open right now by method, such as "Streams/Read". Methods without any are left out. */
  openCalls(): Readonly<Record<string, number>>;
  counts(): Readonly<Counts>;
  /** Everything that a reader of $all can see, in order. */
  events(): readonly StoredDoubleEvent[];
}

/** All optional: the values of a real server on its first day. */
export interface DoubleOptions extends StoreOptions {
  /** 0 takes any free one. */
  readonly port?: number;
  /** File that keeps the log: an append is answered, and shown to others, when it is on disk. */
  readonly journal?: string;
  readonly tls?: Certificate;
  /** Name and password that calls about data must bring. The client sends them over TLS only. */
  readonly credentials?: Credentials;
  /** Bytes of one append; 1,048,576. */
  readonly maxAppendSize?: number;
  /** Events that a live subscriber may lag behind; 32. */
  readonly liveBuffer?: number;
  /** How long it may lag behind that far, in milliseconds; 10. */
  readonly liveGraceMs?: number;
}

/** A fresh server, listening. */
export async function startEventStoreDouble(options: DoubleOptions = {}): Promise<EventStoreDouble> {
  const host = '127.0.0.1';
  const journalled = options.journal === undefined ? undefined : await journalledStore(options.journal, options);
  const store = journalled?.store ?? createStore(options);
  const faults = createFaults();
  const gate = createGate();
  const counts: Counts = { appends: 0, reads: 0, subscriptions: 0, events: 0, droppedSubscribers: 0 };
  const open: OpenCalls = new Map();
  const timers = new Set<NodeJS.Timeout>();
  let disposed = false;

  const after = (milliseconds: number, work: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, milliseconds);
    timers.add(timer);
  };

  const node: ServerNode = {
    store,
    faults,
    gate,
    counts,
    subscribers: new Set(),
    settings: {
      maxAppendSize: options.maxAppendSize ?? 1_048_576,
      liveBuffer: options.liveBuffer ?? 32,
      liveGraceMs: options.liveGraceMs ?? 10,
      requiresLogin: options.credentials !== undefined,
    },
    now: options.now ?? Date.now,
    address: () => ({ host, port: listener.port }),
    goneFor(milliseconds) {
      void kill();
      after(milliseconds, () => void restart());
    },
    freezeFor(milliseconds) {
      gate.close();
      after(milliseconds, gate.open);
    },
  };
  const interceptors = [
    countCalls(open),
    ...(options.credentials ? [requireCredentials(options.credentials)] : []),
    ...(journalled ? [journalled.interceptor] : []),
  ];
  const listener = createListener({ port: options.port ?? 0, host, gate }, (connection) =>
    serveConnection(node, connection, { interceptors, tls: options.tls }),
  );
  let lastChange = listener.start();
  let running = true;
  await lastChange;

  function kill(): Promise<void> {
    if (!running) return lastChange;
    running = false;
    // At once: what arrived together with the fatal call must not be served.
    gate.die();
    listener.reset();
    for (const timer of timers) clearTimeout(timer);
    timers.clear();
    lastChange = lastChange.then(listener.stop);
    return lastChange;
  }

  function restart(): Promise<void> {
    if (running || disposed) return lastChange;
    running = true;
    lastChange = lastChange.then(() => {
      store.restart();
      gate.revive();
      return listener.start();
    });
    return lastChange;
  }

  return {
    get url() {
      const { caFile } = options.tls ?? {};
      const authority = caFile === undefined ? '' : `&tlsCaFile=${encodeURIComponent(caFile)}`;
      return `esdb://${host}:${listener.port}?tls=${options.tls !== undefined}${authority}`;
    },
    get port() {
      return listener.port;
    },
    inject: faults.inject,
    clearFaults: faults.clear,
    waitingFaults: faults.waiting,
    dropSubscribers() {
      for (const drop of [...node.subscribers]) drop();
    },
    kill,
    restart,
    freeze: gate.close,
    thaw: gate.open,
    openCalls: () =>
      Object.fromEntries(
        [...open].filter(([, count]) => count > 0).map(([path, count]) => [path.replace(/^.*\.(?=\w+\/)/, ''), count]),
      ),
    counts: () => ({ ...counts }),
    events: () => store.log.filter(({ stream }) => stream !== epochStream).map(decoded),
    async [Symbol.asyncDispose]() {
      if (disposed) return;
      disposed = true;
      await kill();
      await journalled?.close();
    },
  };
}

function decoded({ stream, revision, id, type, isJson, data, metadata, position }: StoredEvent): StoredDoubleEvent {
  return {
    stream,
    revision,
    id,
    type,
    data: isJson ? parsedOr(data) : data,
    metadata: metadata.length === 0 ? undefined : parsedOr(metadata),
    position: BigInt(position),
  };
}

function parsedOr(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes).toString('utf8');
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
