import { type DestinationStream, type Logger, pino } from 'pino';
import { traceIds } from '#shared/telemetry/span.ts';

/** JSON lines with the trace they belong to, or readable ones on a terminal. Never given payloads, names, tokens or addresses of databases. */
export function createLogger(level: string, pretty: boolean, destination?: DestinationStream): Logger {
  const base = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (!pretty) return pino({ ...base, mixin: () => traceIds() }, destination);
  return pino({
    ...base,
    formatters: {},
    transport: {
      target: 'pino-pretty',
      options: { colorize: true, translateTime: 'SYS:HH:MM:ss', ignore: 'pid,hostname' },
    },
  });
}
