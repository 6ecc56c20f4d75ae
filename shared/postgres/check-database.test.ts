import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SetupError } from '#shared/errors/setup-error.ts';
import { checkDatabase } from '#shared/postgres/check-database.ts';

let asked = 0;
let server: Server;
let folder: string;
const at = (query: string) =>
  `postgres://ada:hunter2@127.0.0.1:${(server.address() as AddressInfo).port}/cool_mint?${query}`;
const told = async (urls: { DATABASE_URL: string; DATABASE_DIRECT_URL?: string }) => {
  const error = await checkDatabase(urls).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(SetupError);
  expect((error as Error).message).not.toContain('hunter2');
  return (error as Error).message;
};

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-ca-'));
  await writeFile(path.join(folder, 'ca.pem'), 'an authority');
  server = createServer((socket) => {
    asked++;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

describe('a URL that switches the check of certificates off', () => {
  test.each([
    'sslmode=no-verify',
    'uselibpqcompat=true&sslmode=require',
    'uselibpqcompat=true&sslmode=prefer',
    'uselibpqcompat=true&sslmode=require&sslrootcert=CA',
    'uselibpqcompat=true&sslmode=verify-ca&sslrootcert=CA',
    'sslmode=no-verify&sslrootcert=CA',
  ])('%s is refused before anything is sent', async (query) => {
    const before = asked;
    const message = await told({ DATABASE_URL: at(query.replace('CA', path.join(folder, 'ca.pem'))) });
    expect(message).toMatch(/^DATABASE_URL switches off .*sslrootcert=/);
    expect(asked).toBe(before);
  });

  test.each(['', 'sslmode=disable', 'sslmode=require', 'sslmode=verify-full', 'sslmode=verify-full&sslrootcert=CA'])(
    '"%s" does not, and it is asked',
    async (query) => {
      const before = asked;
      const message = await told({ DATABASE_URL: at(query.replace('CA', path.join(folder, 'ca.pem'))) });
      expect(message).toMatch(/^DATABASE_URL: the Postgres at 127\.0\.0\.1:/);
      expect(asked).toBe(before + 1);
    },
  );
});

test('an authority whose file is not there is told by its name', async () => {
  const file = path.join(folder, 'none.pem');
  expect(await told({ DATABASE_URL: at(`sslmode=verify-full&sslrootcert=${file}`) })).toBe(
    `DATABASE_URL: the file ${file} that it names cannot be read (ENOENT).`,
  );
});
