/** What server 23.10.6 says it can do. The client decides by this list which calls it makes. */
import type { SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb.js';
import { features } from './protobuf.ts';

/** The version that the recordings were made with. */
export const serverVersion = '23.10.6';

const persistent = ['create', 'update', 'delete', 'read', 'getinfo', 'replayparked', 'list', 'restartsubsystem'];

/** Each service's methods in the order of the recording, a method's features behind it. */
const services: readonly (readonly [service: string, methods: readonly (readonly [string, ...string[]])[]])[] = [
  ['redaction.redaction', [['geteventpositions'], ['switchchunks']]],
  ['persistent_subscriptions.persistentsubscriptions', persistent.map((name) => [name, 'stream', 'all'] as const)],
  [
    'users.users',
    [['create'], ['update'], ['delete'], ['disable'], ['enable'], ['details'], ['changepassword'], ['resetpassword']],
  ],
  [
    'streams.streams',
    [['read', 'position', 'events'], ['append'], ['delete'], ['tombstone'], ['batchappend', 'deadline_duration']],
  ],
  [
    'operations.operations',
    [
      ['startscavenge'],
      ['stopscavenge'],
      ['shutdown'],
      ['mergeindexes'],
      ['resignnode'],
      ['setnodepriority'],
      ['restartpersistentsubscriptions'],
    ],
  ],
  ['gossip.gossip', [['read']]],
  ['monitoring.monitoring', [['stats']]],
  ['server_features.serverfeatures', [['getsupportedmethods']]],
];

/** The answer. The double serves only a part of it: streams, gossip and this. */
export function supportedMethods(): SupportedMethods {
  const answer = new features.SupportedMethods().setEventStoreServerVersion(serverVersion);
  for (const [service, methods] of services)
    for (const [method, ...itsFeatures] of methods)
      answer.addMethods(
        new features.SupportedMethod()
          .setServiceName(`event_store.client.${service}`)
          .setMethodName(method)
          .setFeaturesList(itsFeatures),
      );
  return answer;
}
