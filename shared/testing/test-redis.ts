/** The Redis of a test that does it no harm: the one that REDIS_URL names, or else one of its own. */
import { testRedisUrl } from './config.ts';
import { startRedisServer } from './redis-server.ts';

export interface TestRedis extends AsyncDisposable {
  readonly url: string;
}

export async function testRedis(): Promise<TestRedis> {
  const url = testRedisUrl();
  return url === undefined ? startRedisServer() : { url, [Symbol.asyncDispose]: async () => undefined };
}
