import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectCache } from '#shared/cache/connect.ts';
import { at, progressOf } from '#shared/cache/contract.ts';
import { SetupError } from '#shared/errors/setup-error.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { makeCertificate } from '#shared/testing/certificate.ts';
import { type RedisServer, startRedisServer } from '#shared/testing/redis-server.ts';

const password = 'p@ss/wörd:1';
const written = encodeURIComponent(password);
let redis: RedisServer;
let folder: string;
let caFile: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-ca-'));
  const tls = await makeCertificate({ folder, host: 'localhost' });
  redis = await startRedisServer({ password, tls });
  caFile = tls.caFile;
});
afterAll(async () => {
  await redis[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const lines: string[] = [];
const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
const open = (redisUrl: string | undefined, redisTlsCaFile?: string) =>
  connectCache({ redisUrl, redisTlsCaFile, logId: '00000001', logger, runtime: systemRuntime });

async function refusal(redisUrl: string, redisTlsCaFile?: string): Promise<string> {
  const error = await open(redisUrl, redisTlsCaFile).then(
    () => new Error('it was accepted'),
    (refused: Error) => refused,
  );
  expect(error).toBeInstanceOf(SetupError);
  for (const secret of [password, written, 'hunter2']) expect(error.message).not.toContain(secret);
  return error.message;
}

describe('a Redis that can be used', () => {
  test.each([
    ['with its password', () => [redis.url, undefined] as const],
    ['with a user', () => [`redis://default:${written}@127.0.0.1:${redis.port}/3`, undefined] as const],
    [
      'with TLS and the file of its authority',
      () => [`rediss://:${written}@localhost:${redis.tlsPort}`, caFile] as const,
    ],
  ] as const)('%s', async (_, settings) => {
    const [url, file] = settings();
    const cache = await open(url, file);
    try {
      await cache.publish(progressOf('catalog', 5, { acme: 5 }));
      expect((await cache.lastChanged('catalog', 'acme'))?.position).toBe(at(5));
    } finally {
      await cache.close();
    }
    await redis.command('flushall');
  });
});

describe('settings that are wrong are told at the start, with what to set, and never with the password', () => {
  test.each([
    ['another password', () => `redis://:hunter2@127.0.0.1:${redis.port}`, /refuses the user or password.*REDIS_URL/],
    ['an unknown user', () => `redis://nobody:hunter2@127.0.0.1:${redis.port}`, /refuses the user or password/],
    ['no password', () => `redis://127.0.0.1:${redis.port}`, /asks for a password; write redis:\/\/:password@/],
    ['a database that is not there', () => `${redis.url}/99`, /no database of the number/],
    [
      'an unknown certificate',
      () => `rediss://:${written}@localhost:${redis.tlsPort}`,
      /certificate.*REDIS_TLS_CA_FILE/,
    ],
    ['no TLS on a port with TLS', () => `redis://:${written}@127.0.0.1:${redis.tlsPort}`, /write rediss:\/\//],
    ['TLS on a port without', () => `rediss://:${written}@127.0.0.1:${redis.port}`, /write redis:\/\//],
    ['another scheme', () => 'http://hunter2@localhost', /must begin with redis:\/\/ or rediss:\/\//],
    ['no URL', () => 'redis://:hunter2/@x@localhost:port', /is no URL.*%40/],
    ['no host', () => 'redis://:hunter2@', /no URL|names no host/],
    ['a path', () => 'redis://:hunter2@localhost/cache', /number of a database/],
    ['an option', () => 'redis://:hunter2@localhost?tls=true', /means nothing here/],
    ['a broken escape', () => 'redis://:hunter2%zz@localhost', /%25/],
  ])('%s', async (_, url, message) => {
    expect(await refusal(url())).toMatch(message);
  });

  test('a certificate for another host', async () => {
    expect(await refusal(`rediss://:${written}@127.0.0.1:${redis.tlsPort}`, caFile)).toMatch(/of another host/);
  });

  test('a certificate that has expired', async () => {
    const tls = await makeCertificate({ folder, name: 'old', host: 'localhost', days: -1 });
    await using server = await startRedisServer({ tls });
    expect(await refusal(`rediss://localhost:${server.tlsPort}`, tls.caFile)).toMatch(
      /not valid now \(it has expired\)\. Renew it/,
    );
  });

  test('a file of authorities that is missing, empty of them, or without use', async () => {
    const url = `rediss://:${written}@localhost:${redis.tlsPort}`;
    expect(await refusal(url, path.join(folder, 'none.pem'))).toMatch(/none\.pem cannot be read \(ENOENT\)/);
    expect(await refusal(url, import.meta.filename)).toMatch(/no certificate in PEM form/);
    expect(await refusal(redis.url, caFile)).toMatch(/write rediss:\/\/, or unset it/);
  });

  test('a user who may not do what a cache does', async () => {
    await redis.command('acl', 'setuser', 'reader', 'on', '>hunter2', '~*', '+get', '+ping');
    expect(await refusal(`redis://reader:hunter2@127.0.0.1:${redis.port}`)).toMatch(/does not permit/);
  });

  test('a replica', async () => {
    await redis.command('replicaof', '127.0.0.1', '1');
    expect(await refusal(redis.url)).toMatch(/is a replica.*primary/);
    await redis.command('replicaof', 'no', 'one');
  });
});

test('a Redis that is away is a warning without the password, and nothing is known', async () => {
  const closing = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(closing, 'listening');
  const { port } = closing.address() as { port: number };
  // Nothing listens; a proxy without a server behind it; a name that nobody knows.
  for (const place of ['127.0.0.1:1', `127.0.0.1:${port}`, 'no-such-host.invalid:6379']) {
    lines.length = 0;
    const cache = await open(`redis://:hunter2@${place}`);
    await cache.publish(progressOf('catalog', 5, { acme: 5 }));
    expect(await cache.lastChanged('catalog', 'acme')).toBeNull();
    await cache.close();
    expect(lines.join()).toMatch(/Redis is away/);
    expect(lines.join()).toContain(place);
    expect(lines.join()).not.toContain('hunter2');
  }
  closing.close();
});

test('without REDIS_URL the memory of the process is the cache', async () => {
  const cache = await open(undefined);
  await cache.publish(progressOf('catalog', 5, { acme: 5 }));
  expect((await cache.lastChanged('catalog', 'acme'))?.position).toBe(at(5));
});
