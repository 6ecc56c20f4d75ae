import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { certificateOf } from '#cli/doctor/certificate.ts';
import { type Check, type Finding, failed, NotThere, ok, skipped, warning } from '#cli/doctor/check.ts';
import type { Machine } from '#cli/doctor/checks.ts';
import type { Installation } from '#cli/doctor/installation.ts';
import type { Server } from '#cli/doctor/servers.ts';
import { tlsProblem } from '#shared/errors/tls-problem.ts';
import { within } from '#shared/runtime/within.ts';

const group = 'network';
const tries = 3;
const connectMilliseconds = 5_000;
/** Each command and each uncached read goes there and back a few times. */
const slowMilliseconds = 50;
const leastDays = 14;
const dayMilliseconds = 86_400_000;

/** Two for each server, so that a list of servers has to be known before. */
export function networkChecks({ cli }: Installation, servers: readonly Server[], { now }: Machine): Check[] {
  if (servers.length === 0 && cli.url === null)
    return [{ group, name: 'servers', run: async () => skipped('the settings name no server elsewhere') }];
  return servers.flatMap((server) => {
    const { setting, host, port, tls } = server;
    const place = `${host}:${port}`;
    return [
      { group, name: `${setting} ${place}`, run: () => reachable(server) },
      ...(tls === 'no'
        ? []
        : [{ group, name: `${setting} ${place} certificate`, run: () => certificate(server, now) } as const]),
    ];
  });
}

async function reachable({ setting, host, port }: Server): Promise<Finding> {
  try {
    await within(connectMilliseconds, lookup(host));
  } catch (error) {
    return failed(
      `${setting}: the name ${host} is not known here (${(error as NodeJS.ErrnoException).code ?? 'no answer of the name server'}).`,
      `Correct the name in ${setting}, or look at the name server of this machine.`,
    );
  }
  const times: number[] = [];
  for (let attempt = 0; attempt < tries; attempt++) {
    const begun = performance.now();
    const socket = connect({ host, port });
    try {
      await once(socket, 'connect', { signal: AbortSignal.timeout(connectMilliseconds) });
    } catch (error) {
      const { code, name } = error as NodeJS.ErrnoException;
      return failed(
        `${setting}: ${host}:${port} takes no connection (${name === 'AbortError' ? `none within ${connectMilliseconds / 1_000} s` : (code ?? name)}).`,
        `Start the server, correct ${setting}, or look at firewalls on the way.`,
      );
    } finally {
      socket.destroy();
    }
    times.push(performance.now() - begun);
  }
  const best = Math.min(...times);
  return best > slowMilliseconds
    ? warning(`A connection takes ${best.toFixed(0)} ms.`, 'Bring the services and this server nearer to each other.')
    : ok(`${best.toFixed(1)} ms`);
}

async function certificate(server: Server, now: () => number): Promise<Finding> {
  const { setting, host, port, tls, caFile } = server;
  const { until, refusal } = await certificateOf(server).catch((error: NodeJS.ErrnoException) => {
    throw new NotThere(`it shows none (${error.code ?? error.message})`);
  });
  const days = Math.floor((until.getTime() - now()) / dayMilliseconds);
  const date = until.toISOString().slice(0, 10);
  const place = `${setting}: ${host}:${port}`;
  // How Postgres is trusted is said in its URL, and judged by its own check.
  const problem = tls === 'postgres' ? null : tlsProblem(refusal, authority(setting, caFile));
  if (days < 0) return failed(`${place}: its certificate has expired, on ${date}.`, 'Renew it.');
  if (problem) return failed(`${place}: ${problem}`);
  return days < leastDays
    ? warning(`${place}: its certificate ends on ${date}, in ${days} days.`, 'Renew it.')
    : ok(`valid until ${date}`);
}

function authority(setting: string, caFile: string | null): string {
  if (caFile) return `${caFile} is not the authority that signed it: name the right file.`;
  return setting === 'EVENTSTORE_URL'
    ? "Name the file of its authority's certificate in the URL: tlsCAFile=/path/to/ca.crt"
    : setting === 'KAFKA_BROKERS'
      ? 'Name the file of its authority in KAFKA_TLS_CA_FILE.'
      : setting === 'REDIS_URL'
        ? 'Name the file of its authority in REDIS_TLS_CA_FILE.'
        : 'Add its authority to those of this machine: NODE_EXTRA_CA_CERTS names a file.';
}
