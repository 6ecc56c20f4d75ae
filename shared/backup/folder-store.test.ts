import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { backupStoreContract } from '#shared/backup/contract.ts';
import { folderStore } from '#shared/backup/folder-store.ts';
import { StoreUnavailable } from '#shared/backup/store.ts';

let root: string;
let folders = 0;
const newFolder = () => path.join(root, 'not', 'there', `${++folders}`);

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'cool-mint-store-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

backupStoreContract('folder', async () => folderStore(newFolder()));

test('files and folders are for their owner only', async () => {
  const folder = newFolder();
  const store = folderStore(folder);
  await store.write('keys/private', Buffer.from('secret'));
  const mode = async (name: string) => ((await stat(path.join(folder, name))).mode & 0o777).toString(8);
  expect([await mode('.'), await mode('keys'), await mode('keys/private')]).toEqual(['700', '700', '600']);
});

test('a file that a cut left half written is none, and a later backup takes it away', async () => {
  const folder = newFolder();
  await folderStore(folder).write('log/a', Buffer.from('a'));
  const [old, fresh] = [`.unfinished-${randomUUID()}`, `.unfinished-${randomUUID()}`];
  for (const name of [old, fresh, '.unfinished-poem']) await writeFile(path.join(folder, name), 'half of a fi');
  const yesterday = new Date(Date.now() - 86_400_000);
  for (const name of [old, '.unfinished-poem']) await utimes(path.join(folder, name), yesterday, yesterday);
  const store = folderStore(folder);
  expect(await store.list()).toEqual(
    expect.arrayContaining([
      { name: 'log/a', bytes: 1 },
      { name: '.unfinished-poem', bytes: 12 },
    ]),
  );
  expect(await store.list()).toHaveLength(2);
  await store.write('log/b', Buffer.from('b'));
  // The fresh one may be of somebody who is writing it.
  expect((await readdir(folder)).sort()).toEqual([fresh, '.unfinished-poem', 'log'].sort());
});

test('two that write into one folder at once write each file whole', async () => {
  const folder = newFolder();
  const stores = [folderStore(folder), folderStore(folder)] as const;
  for (let round = 0; round < 20; round++) {
    const bytes = [randomBytes(400_000), randomBytes(900_000)] as const;
    await Promise.all(stores.map((store, index) => store.write(`log/${index}`, bytes[index] as Buffer)));
    for (const [index, store] of stores.entries())
      expect((await store.read(`log/${index}`))?.equals(bytes[index] as Buffer)).toBe(true);
  }
  expect(await readdir(folder)).toEqual(['log']);
});

test('a place that is no folder, or may not be written, is told', async () => {
  const file = path.join(root, 'file');
  await writeFile(file, '');
  const error = await folderStore(file)
    .list()
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StoreUnavailable);
  expect((error as Error).message).toBe(`The folder ${file} cannot be used: it is no folder.`);
  await expect(folderStore(path.join(file, 'below')).write('log/a', Buffer.from('a'))).rejects.toThrow(
    /cannot be used: it is no folder/,
  );
});
