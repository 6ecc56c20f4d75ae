/** The gRPC side of one connection. Each has a server of its own, so that a call knows which connection it came by. */

import type {
  AppendReq,
  AppendResp,
  BatchAppendReq,
  BatchAppendResp,
  DeleteReq,
  TombstoneReq,
} from '@eventstore/db-client/generated/streams_pb.js';
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerInterceptor,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServiceError,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { batchAppend } from './batch-append.ts';
import { clusterInfo } from './cluster-info.ts';
import { softDelete, tombstone } from './delete-stream.ts';
import type { Connection } from './listener.ts';
import type { ServerNode } from './node.ts';
import { featureServices, gossipServices, streamServices } from './protobuf.ts';
import { read } from './read.ts';
import { serialiseRead } from './read-messages.ts';
import type { ReadCall } from './send-messages.ts';
import { supportedMethods } from './supported-methods.ts';
import { unaryAppend } from './unary-append.ts';

/** A certificate and its key, as PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** File with the certificate of the authority, for the connection string; the client reads it. */
  readonly caFile?: string;
}

/** As the real server: one more stream than this waits until another one ends. */
const maxConcurrentStreams = 100;

/** A message that is longer resets the call; for appends that is the stream that all of a client's appends share. */
const maxMessageBytes = 16 * 1024 * 1024;

/** Serves the connection until it closes. */
export function serveConnection(
  node: ServerNode,
  connection: Connection,
  options: { readonly interceptors: readonly ServerInterceptor[]; readonly tls: Certificate | undefined },
): void {
  const site = { node, connection };
  const server = new Server({
    'grpc.max_concurrent_streams': maxConcurrentStreams,
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.enable_channelz': 0,
    interceptors: [...options.interceptors],
  });
  /** A method with one answer, or an error instead. */
  const unary =
    <Request, Response>(answer: (request: Request) => Response | ServiceError) =>
    (call: ServerUnaryCall<Request, Response>, reply: sendUnaryData<Response>): void =>
      node.gate.pass(() => {
        const done = answer(call.request);
        if (done instanceof Error) reply(done);
        else reply(null, done);
      });
  const { StreamsService } = streamServices;
  server.addService(
    { ...StreamsService, read: { ...StreamsService.read, responseSerialize: serialiseRead } },
    {
      read: (call: ReadCall) => node.gate.pass(() => read(site, call)),
      batchAppend: (call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>) => batchAppend(site, call),
      append: (call: ServerReadableStream<AppendReq, AppendResp>, reply: sendUnaryData<AppendResp>) =>
        unaryAppend(site, call, reply),
      delete: unary((request: DeleteReq) => softDelete(node, request)),
      tombstone: unary((request: TombstoneReq) => tombstone(node, request)),
    },
  );
  server.addService(featureServices.ServerFeaturesService, { getSupportedMethods: unary(supportedMethods) });
  server.addService(gossipServices.GossipService, { read: unary(() => clusterInfo(node.address(), node.now())) });
  const { tls } = options;
  const credentials = tls
    ? ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }])
    : ServerCredentials.createInsecure();
  const injector = server.createConnectionInjector(credentials);
  connection.socket.once('close', () => {
    injector.destroy();
    server.forceShutdown();
  });
  injector.injectConnection(connection.socket);
}
