/** The double of EventStoreDB as a process of its own, so that it takes no time from whoever is measured. */
import { startEventStoreDouble } from '#shared/testing/eventstoredb/start-double.ts';

const double = await startEventStoreDouble();
process.stdout.write(`${JSON.stringify({ url: double.url })}\n`);
process.once('SIGTERM', () => void double[Symbol.asyncDispose]());
