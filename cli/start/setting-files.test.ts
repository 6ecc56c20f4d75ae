import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startConfig } from '#cli/start/config.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-setting-files-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, text: string): Promise<string> {
  const at = path.join(folder, name);
  await writeFile(at, text);
  return at;
}

describe('NAME_FILE', () => {
  test('gives the value of NAME, whichever setting it is, without the line end that editors add', async () => {
    const url = 'postgres://user:password@host:5432/database';
    const config = startConfig({
      DATABASE_URL_FILE: await file('url', `${url}\n`),
      PORT_FILE: await file('port', '3210'),
      REDIS_URL: '',
      REDIS_URL_FILE: await file('redis', 'redis://host:6379\r\n'),
    });
    expect(config).toMatchObject({ DATABASE_URL: url, PORT: 3210, REDIS_URL: 'redis://host:6379' });
  });

  test('is not read for a setting whose own name ends so: that one is about a file', async () => {
    const password = await file('password', 'secret');
    expect(startConfig({ KAFKA_SASL_PASSWORD_FILE: password })).toMatchObject({ KAFKA_SASL_PASSWORD_FILE: password });
  });

  test('beside NAME, of no file or of an empty one is refused, by name', async () => {
    const url = await file('again', 'redis://host');
    expect(() => startConfig({ REDIS_URL: 'redis://other', REDIS_URL_FILE: url })).toThrow(
      /^REDIS_URL and REDIS_URL_FILE are both set/,
    );
    expect(() => startConfig({ REDIS_URL_FILE: path.join(folder, 'none') })).toThrow(/^REDIS_URL_FILE: .*ENOENT/);
    expect(() => startConfig({ REDIS_URL_FILE: '' })).not.toThrow();
    const empty = await file('empty', '\n');
    expect(() => startConfig({ REDIS_URL_FILE: empty })).toThrow(/^REDIS_URL_FILE: .* is empty/);
  });

  test('with a value that cannot be is told without the value, which may be a secret', async () => {
    const prefix = await file('prefix', 'not a prefix!');
    expect(() => startConfig({ EVENTSTORE_STREAM_PREFIX_FILE: prefix })).toThrow(
      `EVENTSTORE_STREAM_PREFIX: letters, digits, dots, dashes and underscores only (in the file ${prefix})`,
    );
    expect(() => startConfig({ PORT: 'x' })).toThrow(/^PORT: .*\(given: "x"\)$/);
  });
});
