/** What a process can be told to be. */

export const allRoles = ['commands', 'queries', 'relay', 'apply'] as const;
export type Role = (typeof allRoles)[number];

export const services = ['command-service', 'query-service', 'projector'] as const;
export type ServiceName = (typeof services)[number];

/** `only` divides the projector: the relay sends the log to Kafka, apply reads it into the views. */
export function rolesOf(service: ServiceName | undefined, only: 'relay' | 'apply' | undefined): readonly Role[] {
  if (service === undefined) return allRoles;
  if (service === 'command-service') return ['commands'];
  if (service === 'query-service') return ['queries'];
  return only ? [only] : ['relay', 'apply'];
}
