/** What `esdb+discover` asks for: a cluster of one node, which leads. */
import { randomUUID } from 'node:crypto';
import type { ClusterInfo } from '@eventstore/db-client/generated/gossip_pb.js';
import { gossip, uuidMessage } from './protobuf.ts';
import { ticksOf } from './stored-event.ts';

const instanceId = randomUUID();

/** @param now milliseconds since 1970 */
export function clusterInfo(address: { readonly host: string; readonly port: number }, now: number): ClusterInfo {
  const endPoint = new gossip.EndPoint().setAddress(address.host).setPort(address.port);
  return new gossip.ClusterInfo().setMembersList([
    new gossip.MemberInfo()
      .setInstanceId(uuidMessage(instanceId, true))
      .setTimeStamp(String(ticksOf(now)))
      .setState(gossip.MemberInfo.VNodeState.LEADER)
      .setIsAlive(true)
      .setHttpEndPoint(endPoint),
  ]);
}
