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
