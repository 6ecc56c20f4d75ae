import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
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

test('a file that a cut left half written is none, and the next one takes its place', async () => {
  const folder = newFolder();
  const store = folderStore(folder);
  await store.write('log/a', Buffer.from('a'));
  await writeFile(path.join(folder, '.unfinished'), 'half of a fi');
  expect(await store.list()).toEqual([{ name: 'log/a', bytes: 1 }]);
  await store.write('log/b', Buffer.from('b'));
  expect((await readdir(folder)).sort()).toEqual(['log']);
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
