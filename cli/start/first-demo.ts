import type { Logger } from 'pino';
import type { StartConfig } from '#cli/start/config.ts';
import type { OneMachine } from '#cli/start/one-machine.ts';

export async function loadDemoOnFirstStart(_config: StartConfig, _machine: OneMachine, _logger: Logger, _signal: AbortSignal): Promise<void> {}
