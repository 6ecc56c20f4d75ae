/** Demo data on the first start: loaded once, through HTTP like any import; a load that was cut goes on at the next start. */
import type { Logger } from 'pino';
import { createClient } from '#cli/client.ts';
import { loadDemo } from '#cli/load-demo.ts';
import { progress } from '#cli/progress.ts';
import type { StartConfig } from '#cli/start/config.ts';
import type { Service } from '#cli/start/start-service.ts';
import { readLease } from '#command-service/sync-run/lease.ts';
import { issueToken } from '#shared/access/local-issuer.ts';

const tenant = 'demo';
const seed = 1;

export async function loadDemoOnFirstStart(
  config: StartConfig,
  machine: Service,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  if (config.AUTH_JWKS_URL || config.AUTH_PUBLIC_KEY_FILE) return;
  const lease = await readLease(machine.pool, tenant, 'salesforce');
  // A source that was begun and has no open run is loaded.
  if (lease && lease.run === null) return;
  const shown = progress({ json: false });
  let saidAt = 0;
  try {
    const client = createClient({
      url: machine.url,
      token: () => issueToken(config.DATA_DIR, { tenant, actor: 'system:demo', hours: 1 }),
      whenAway: 'The service stopped while the demo data was loaded; start it again.',
      userAgent: 'cool-mint start',
      signal,
    });
    const { totals } = await loadDemo({
      client,
      activities: config.DEMO_ACTIVITIES,
      seed,
      progress: (event) => {
        if (event.event !== 'progress' || event.phase !== 'sending') return;
        const fraction = event.totalBytes ? event.bytes / event.totalBytes : null;
        if (config.pretty)
          shown.update(
            () => ({ label: 'Demo data', fraction, facts: event.file }),
            () => event,
          );
        else if (performance.now() - saidAt > 1_000) {
          saidAt = performance.now();
          logger.info({ event: 'demo', file: event.file, fraction }, 'loading demo data');
        }
      },
    });
    shown.end();
    logger.info({ event: 'demo', tenant, ...totals }, 'demo data is loaded');
  } catch (error) {
    shown.end();
    if (signal.aborted) return;
    // The service is of use without it; the next start tries again.
    logger.warn({ event: 'demo', error: (error as Error).message }, 'the demo data was not loaded');
  }
}
