/** What every store of backups does, whatever it is made of. Each adapter's test file runs this suite. */
import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import type { BackupStore } from '#shared/backup/store.ts';

const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);

/** `open` answers a store on an empty place of its own. */
export function backupStoreContract(name: string, open: () => Promise<BackupStore>): void {
  describe(`backup store contract: ${name}`, () => {
    let store: BackupStore;
    beforeEach(async () => {
      store = await open();
      return () => store.close();
    });

    test('an empty place has no files, and reading or removing one is no error', async () => {
      expect(await store.list()).toEqual([]);
      expect(await store.read('log/a')).toBeNull();
      await store.remove('log/a');
    });

    test('files come back byte by byte, listed with their sizes', async () => {
      const files = {
        'manifest.json': Buffer.from('{}'),
        'log/a.gz': randomBytes(300_000),
        'keys/k-1.pem': Buffer.of(),
      };
      for (const [file, bytes] of Object.entries(files)) await store.write(file, bytes);
      for (const [file, bytes] of Object.entries(files))
        expect((await store.read(file))?.equals(bytes), file).toBe(true);
      expect((await store.list()).sort(byName)).toEqual(
        Object.entries(files)
          .map(([file, bytes]) => ({ name: file, bytes: bytes.length }))
          .sort(byName),
      );
    });

    test('a file is replaced by writing it again, and gone when it was removed', async () => {
      await store.write('manifest.json', Buffer.from('a long first content'));
      await store.write('manifest.json', Buffer.from('second'));
      expect((await store.read('manifest.json'))?.toString()).toBe('second');
      await store.remove('manifest.json');
      expect(await store.list()).toEqual([]);
    });

    test('more files than one page of a listing are all listed', async () => {
      const names = Array.from({ length: 1_050 }, (_, index) => `log/part-${index}`);
      for (const file of names) await store.write(file, Buffer.from('x'));
      expect((await store.list()).map((file) => file.name).sort()).toEqual([...names].sort());
    });
  });
}
