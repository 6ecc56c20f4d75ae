/**
 * What a storage refuses, as S3 words it (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html): the
 * server that the other tests run on refuses nobody.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { s3Config } from '#shared/backup/s3/config.ts';
import { s3Store } from '#shared/backup/s3/s3-store.ts';
import { StoreUnavailable } from '#shared/backup/store.ts';

let server: Server;
let answer = { status: 200, code: '' };

beforeAll(async () => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'hush' });
  server = createServer((request, response) => {
    request.resume();
    response.writeHead(answer.status, { 'Content-Type': 'application/xml' });
    response.end(
      `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${answer.code}</Code><Message>m</Message></Error>`,
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

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
  const store = s3Store({ endpoint: `http://127.0.0.1:${port}`, region: 'eu-west-1' }, 'my-bucket', 'x');
  for (const work of [() => store.list(), () => store.write('log/a', Buffer.from('a')), () => store.read('log/a')]) {
    const error = (await work().catch((thrown: unknown) => thrown)) as Error;
    expect(error).toBeInstanceOf(StoreUnavailable);
    expect(error.message).toMatch(told);
    expect(error.message).toMatch(/^s3:\/\/my-bucket\/x cannot be used: /);
    expect(error.message).not.toContain('hush');
  }
  store.close();
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
