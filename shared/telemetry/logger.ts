import { type Logger, pino } from 'pino';

/** JSON lines, or readable ones on a terminal. Never given payloads, names, tokens or addresses of databases. */
export function createLogger(level: string, pretty: boolean): Logger {
  const base = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (!pretty) return pino(base);
  return pino({
    ...base,
    formatters: {},
    transport: {
      target: 'pino-pretty',
      options: { colorize: true, translateTime: 'SYS:HH:MM:ss', ignore: 'pid,hostname' },
    },
  });
}
