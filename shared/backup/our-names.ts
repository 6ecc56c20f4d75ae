/**
 * Names of files that a backup makes, complete or not. A place that holds any other one was not made by a backup, and
 * what has another name is never removed: a folder `log` or `keys` may be anybody's.
 */
import { manifestName } from '#shared/backup/manifest.ts';
import { rowsTables } from '#shared/backup/tables.ts';

const tables = rowsTables.map(({ table }) => table.replace('.', '\\.')).join('|');
const part = '\\d{8}-[0-9a-f]{64}\\.ndjson\\.gz';
const madeByUs = new RegExp(`^(log/part-${part}|tables/(${tables})-${part}|keys/[0-9a-f]{64}-private-key\\.pem)$`);

export const isOurs = (name: string): boolean => name === manifestName || madeByUs.test(name);
