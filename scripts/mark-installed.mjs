// Notes that node_modules is what this image is to have, so that nothing is installed when it starts.
import { ensureInstalled, projectRoot } from './node24.mjs';

await ensureInstalled(projectRoot, async () => undefined);
