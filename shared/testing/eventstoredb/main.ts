/** The double as a process of its own, to be killed and started again: `node main.ts --port 2113 --journal log.ndjson`. */
import { parseArgs } from 'node:util';
import { startEventStoreDouble } from './start-double.ts';

const { values } = parseArgs({ options: { port: { type: 'string' }, journal: { type: 'string' } } });
const { journal } = values;
const double = await startEventStoreDouble({
  port: Number(values.port ?? 0),
  ...(journal === undefined ? {} : { journal }),
});
process.stdout.write(`${JSON.stringify({ url: double.url })}\n`);
// The journal is whole whenever the process ends.
process.once('SIGTERM', () => void double[Symbol.asyncDispose]().then(() => process.exit(0)));
