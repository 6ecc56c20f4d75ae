import { collectDefaultMetrics, type OpenMetricsContentType, Registry } from 'prom-client';

/** All metrics of this process; served at /metrics on the admin port, as OpenMetrics: only that has exemplars. */
export const registry = new Registry<OpenMetricsContentType>();
registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
collectDefaultMetrics({ register: registry });
