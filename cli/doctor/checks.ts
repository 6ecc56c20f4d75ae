/** All checks, in the order in which they are shown. */
import { statfs } from 'node:fs/promises';
import { apiChecks } from '#cli/doctor/api.ts';
import { authenticationChecks } from '#cli/doctor/authentication.ts';
import { brokerChecks } from '#cli/doctor/broker.ts';
import { cacheChecks } from '#cli/doctor/cache.ts';
import type { Check } from '#cli/doctor/check.ts';
import { clockChecks } from '#cli/doctor/clock.ts';
import { databaseChecks } from '#cli/doctor/database.ts';
import { diskChecks } from '#cli/doctor/disk.ts';
import { environmentChecks } from '#cli/doctor/environment.ts';
import type { Installation } from '#cli/doctor/installation.ts';
import { logChecks } from '#cli/doctor/log.ts';
import { networkChecks } from '#cli/doctor/network.ts';
import { projectionChecks } from '#cli/doctor/projections.ts';
import { serversOf } from '#cli/doctor/servers.ts';

/** What of this machine tests may want otherwise. */
export interface Machine {
  /** Milliseconds of the epoch. */
  now(): number;
  /** Of the disk that holds a folder, in bytes. */
  freeSpace(folder: string): Promise<{ readonly free: number; readonly total: number }>;
}

export const thisMachine: Machine = {
  now: Date.now,
  async freeSpace(folder) {
    const { bavail, blocks, bsize } = await statfs(folder);
    return { free: bavail * bsize, total: blocks * bsize };
  },
};

export async function allChecks(installation: Installation, machine: Machine = thisMachine): Promise<Check[]> {
  const config = await installation.settings().catch(() => null);
  return [
    ...environmentChecks(installation),
    ...databaseChecks(installation),
    ...logChecks(installation),
    ...brokerChecks(installation),
    ...cacheChecks(installation),
    ...projectionChecks(installation),
    ...apiChecks(installation),
    ...authenticationChecks(installation),
    ...(config ? networkChecks(installation, serversOf(config, installation.cli.url), machine) : []),
    ...clockChecks(installation, machine),
    ...diskChecks(installation, machine),
  ];
}
