/**
 * TEST_FSYNC=on makes the tests' Postgres as safe against power cuts as the real one, and slower: for tests of
 * durability and for figures that are to be compared with real ones.
 */
export function testFsync(): boolean {
  return process.env.TEST_FSYNC === 'on';
}

/** LONG=on runs the long forms of tests that also have a short one: more trials, more data, more crashes. */
export function longTests(): boolean {
  return process.env.LONG === 'on';
}

/** EVENTSTORE_URL lets `npm run test:eventstoredb` run on a real server instead of the double. */
export function testEventStoreUrl(): string | undefined {
  return process.env.EVENTSTORE_URL || undefined;
}

/**
 * TEST_DATABASE_URL lets tests use a Postgres that is there instead of one of their own: as a superuser, for databases are
 * made and dropped. Not DATABASE_URL, so that nobody's own is met by chance.
 */
export function testDatabaseUrl(): string | undefined {
  return process.env.TEST_DATABASE_URL || undefined;
}

/** REDIS_URL lets tests that do no harm to a Redis use one that is there; those that pause or kill it have their own. */
export function testRedisUrl(): string | undefined {
  return process.env.REDIS_URL || undefined;
}

/** KAFKA_BROKERS lets `npm run test:distributed` use a broker that is there. */
export function testKafkaBrokers(): string | undefined {
  return process.env.KAFKA_BROKERS || undefined;
}
