import { memoryEventLog } from '#shared/event-log/memory-event-log.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { transportContract } from '#shared/transport/contract.ts';
import { directTransport } from '#shared/transport/direct-transport.ts';

transportContract('direct', async () => {
  const log = memoryEventLog();
  return { log, transport: directTransport(log, systemRuntime), close: () => log.close() };
});
