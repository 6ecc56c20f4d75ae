/**
 * The messages and services as the installed client brings them. They are CommonJS without statically visible names,
 * so values come as a whole module; types are imported where they are used.
 */
import gossipServices from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import gossip from '@eventstore/db-client/generated/gossip_pb.js';
import featureServices from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import features from '@eventstore/db-client/generated/serverfeatures_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import status from '@eventstore/db-client/generated/status_pb.js';
import streamServices from '@eventstore/db-client/generated/streams_grpc_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import any from 'google-protobuf/google/protobuf/any_pb.js';
import empty from 'google-protobuf/google/protobuf/empty_pb.js';

export { any, empty, featureServices, features, gossip, gossipServices, shared, status, streamServices, streams };

/** The client's own empty message, which the protocol has beside Google's. */
export const nothing = () => new shared.Empty();

/** Bytes of a UUID message as text, whichever of its two forms it has. */
export function uuidText(uuid: shared.UUID | undefined): string {
  if (!uuid?.hasStructured()) return (uuid?.getString() ?? '').toLowerCase();
  const structured = uuid.getStructured()!;
  const hex = (bits: string): string => BigInt.asUintN(64, BigInt(bits)).toString(16).padStart(16, '0');
  const all = hex(structured.getMostSignificantBits()) + hex(structured.getLeastSignificantBits());
  return [all.slice(0, 8), all.slice(8, 12), all.slice(12, 16), all.slice(16, 20), all.slice(20)].join('-');
}

/** A UUID message with the text, or as two signed numbers of 64 bits. */
export function uuidMessage(text: string, structured: boolean): shared.UUID {
  const uuid = new shared.UUID();
  if (!structured) return uuid.setString(text);
  const hex = text.replaceAll('-', '');
  const bits = (part: string): string => BigInt.asIntN(64, BigInt(`0x${part}`)).toString();
  const halves = new shared.UUID.Structured();
  halves.setMostSignificantBits(bits(hex.slice(0, 16)));
  halves.setLeastSignificantBits(bits(hex.slice(16)));
  return uuid.setStructured(halves);
}

/** A stream's name as the protocol wants it. */
export const streamIdentifier = (name: string): shared.StreamIdentifier =>
  new shared.StreamIdentifier().setStreamName(Buffer.from(name));

/** The name in a request. */
export const streamNameOf = (identifier: shared.StreamIdentifier | undefined): string =>
  Buffer.from(identifier?.getStreamName_asU8() ?? []).toString('utf8');
