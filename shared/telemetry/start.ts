/**
 * Loaded before anything else (`node --import`). Without an exporter configured (OTEL_EXPORTER_OTLP_ENDPOINT or
 * OTEL_TRACES_EXPORTER) nothing is sent, but trace ids are still made: they stand in the metadata of events.
 */
import { NodeSDK } from '@opentelemetry/sdk-node';

const { env } = process;
const exporting = Boolean(
  env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? env['OTEL_TRACES_EXPORTER'],
);
if (!exporting) {
  env['OTEL_TRACES_EXPORTER'] = 'none';
  env['OTEL_TRACES_SAMPLER'] ??= 'always_off';
}
// All metrics are prom-client's, all logs are pino's.
env['OTEL_METRICS_EXPORTER'] ??= 'none';
env['OTEL_LOGS_EXPORTER'] ??= 'none';
env['OTEL_SERVICE_NAME'] ??= 'cool-mint';

const nothing = async () => undefined;
/** With no exporter and no processor the SDK would not make ids either. */
const quiet = { onStart: () => undefined, onEnd: () => undefined, forceFlush: nothing, shutdown: nothing };
const sdk = new NodeSDK({ instrumentations: [], ...(exporting ? {} : { spanProcessors: [quiet] }) });
sdk.start();
process.once('beforeExit', () => void sdk.shutdown().catch(() => undefined));
