import { eventLogContract } from '#shared/event-log/contract.ts';
import { memoryEventLog } from '#shared/event-log/memory-event-log.ts';

eventLogContract('memory', async () => ({ log: memoryEventLog(), close: async () => undefined }));
