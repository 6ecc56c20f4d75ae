/**
 * What a storage refuses, as S3 words it (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html): the
 * server that the other tests run on refuses nobody.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { s3Config } from '#shared/backup/s3/config.ts';
import { type S3Place, s3Store } from '#shared/backup/s3/s3-store.ts';
import { type BackupStore, StoreUnavailable } from '#shared/backup/store.ts';

let server: Server;
const checksums: (string | string[] | undefined)[] = [];
let answer = { status: 200, code: '' };

beforeAll(async () => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'hush' });
  server = createServer((request, response) => {
    request.resume();
    if (request.method === 'PUT') checksums.push(request.headers['content-md5']);
    response.writeHead(answer.status, { 'Content-Type': 'application/xml' });
    const error = `<Error><Code>${answer.code}</Code><Message>m</Message></Error>`;
    response.end(answer.code === '' ? '' : `<?xml version="1.0" encoding="UTF-8"?>${error}`);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const storeAt = (port: number, given: Partial<S3Place> = {}) =>
  s3Store(
    { endpoint: `http://127.0.0.1:${port}`, region: 'eu-west-1' },
    { bucket: 'my-bucket', prefix: 'x', signal: new AbortController().signal, ...given },
  );

test.each([
  [403, 'AccessDenied', /access is denied\. The credentials need s3:ListBucket/],
  [403, 'InvalidAccessKeyId', /the credentials are refused \(InvalidAccessKeyId\)\. Correct AWS_ACCESS_KEY_ID/],
  [403, 'SignatureDoesNotMatch', /the credentials are refused/],
  [400, 'ExpiredToken', /the credentials are refused/],
  [301, 'PermanentRedirect', /the bucket is in another region than eu-west-1\. Set AWS_REGION/],
  [400, 'AuthorizationHeaderMalformed', /the bucket is in another region/],
  [404, 'NoSuchBucket', /there is no bucket my-bucket/],
  [405, 'MethodNotAllowed', /the storage answers 405 \(MethodNotAllowed\)/],
])('%i %s is told with what to do', async (status, code, told) => {
  answer = { status, code };
  const { port } = server.address() as AddressInfo;
  const store = storeAt(port);
  for (const work of [() => store.list(), () => store.write('log/a', Buffer.from('a')), () => store.read('log/a')]) {
    const error = (await work().catch((thrown: unknown) => thrown)) as Error;
    expect(error).toBeInstanceOf(StoreUnavailable);
    expect(error.message).toMatch(told);
    expect(error.message).toMatch(/^s3:\/\/my-bucket\/x cannot be used: /);
    expect(error.message).not.toContain('hush');
  }
  store.close();
});

test('every PUT has a checksum, which buckets with Object Lock ask for', async () => {
  answer = { status: 200, code: '' };
  checksums.length = 0;
  const store = storeAt((server.address() as AddressInfo).port);
  const bytes = [Buffer.from('a'), Buffer.of(), randomBytes(3_000_000)];
  for (const each of bytes) await store.write('log/a', each);
  store.close();
  expect(checksums).toEqual(bytes.map((each) => createHash('md5').update(each).digest('base64')));
});

describe('a storage that takes connections and does not answer', () => {
  const sockets = new Set<Socket>();
  /** What it sends before it falls silent. */
  let begin = '';
  const silent = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', () => {
      if (begin !== '') socket.write(begin);
      begin = '';
    });
  });
  const work = (store: BackupStore) => [
    () => store.list(),
    () => store.read('log/a'),
    () => store.write('log/a', randomBytes(3_000_000)),
    () => store.remove('log/a'),
  ];
  const half = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf';

  beforeAll(async () => {
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
  });
  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  test('is given up, and told', async () => {
    const little = { connectionTimeout: 300, socketTimeout: 300, requestTimeout: 1_000 };
    const store = storeAt((silent.address() as AddressInfo).port, { patience: little });
    for (const each of work(store)) await expect(each()).rejects.toThrow(/127\.0\.0\.1:\d+ does not answer in time/);
    begin = half;
    await expect(store.read('log/a')).rejects.toThrow(StoreUnavailable);
    store.close();
  });

  test('is left at once by whoever is told to stop', async () => {
    for (let index = 0; index < 5; index++) {
      const stop = new AbortController();
      const store = storeAt((silent.address() as AddressInfo).port, { signal: stop.signal });
      begin = index === 4 ? half : '';
      const connected = once(silent, 'connection');
      const ended = (work(store)[index === 4 ? 1 : index] as () => Promise<unknown>)().catch((error: unknown) => error);
      await connected;
      await expect.poll(() => begin).toBe('');
      const stopped = new Error('stopped');
      stop.abort(stopped);
      expect(await ended).toBe(stopped);
      store.close();
    }
  }, 10_000);
});

test('settings: an endpoint has a region of its own accord, AWS has to be told', () => {
  expect(s3Config({})).toEqual({ endpoint: null, region: null });
  expect(s3Config({ BACKUP_S3_ENDPOINT: 'http://localhost:9000' })).toEqual({
    endpoint: 'http://localhost:9000',
    region: 'us-east-1',
  });
  expect(s3Config({ AWS_DEFAULT_REGION: 'eu-west-1', BACKUP_S3_ENDPOINT: '' })).toEqual({
    endpoint: null,
    region: 'eu-west-1',
  });
  expect(() => s3Config({ BACKUP_S3_ENDPOINT: 'localhost:9000' })).toThrow(/BACKUP_S3_ENDPOINT: /);
});
