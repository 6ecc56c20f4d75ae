import { describe, expect, test } from 'vitest';
import { parseConnectionString } from '#shared/event-log/eventstoredb/connection-string.ts';

describe('EVENTSTORE_URL', () => {
  test.each([
    ['esdb://localhost:2113?tls=false', 'localhost:2113', false, null],
    ['esdb://localhost', 'localhost', true, null],
    ['esdb://a:1,b:2,c:3?tls=true', 'a:1,b:2,c:3', true, null],
    [
      'esdb+discover://admin:change%3Ait@cluster.example:2113?tlsCAFile=/etc/ca.crt',
      'cluster.example:2113',
      true,
      { username: 'admin', password: 'change:it' },
    ],
    ['  esdb://localhost:2113/?tls=false&keep_alive_interval=10000  ', 'localhost:2113', false, null],
  ])('%s is understood', (url, place, tls, credentials) => {
    expect(parseConnectionString(url)).toMatchObject({ url: url.trim(), place, tls, credentials });
  });

  test.each([
    ['http://localhost:2113', /must begin with esdb:/],
    ['localhost:2113', /must begin with esdb:/],
    ['kurrentdb://localhost:2113', /write esdb:/],
    ['kurrentdb+discover://localhost:2113', /write esdb\+discover:/],
    ['esdb://', /names no host/],
    ['esdb://user:secret@', /names no host/],
    ['esdb://[::1]:2113', /IPv6/],
    ['esdb://localhost:port', /port "port"/],
    ['esdb://localhost:99999', /port "99999"/],
    ['esdb://user@localhost', /not user:password/],
    ['esdb://user:se:cret@localhost', /not user:password/],
    ['esdb://user:se@cret@localhost', /not user:password/],
    ['esdb://user:100%@localhost', /percent-encoding/],
    ['esdb://localhost/events', /has a path/],
    ['esdb://localhost?tls=no', /no sensible value for "tls"/],
    ['esdb://localhost?tsl=false', /option "tsl"/],
    ['esdb://localhost?throwOnAppendFailure=false', /option "throwOnAppendFailure"/],
    ['esdb://localhost?nodePreference=follower', /option "nodePreference"/],
    ['esdb://localhost?maxDiscoverAttempts=abc', /no sensible value for "maxDiscoverAttempts"/],
    ['esdb://localhost?keepAliveInterval=-7', /no sensible value for "keepAliveInterval"/],
    ['esdb://host:2113?tls=false&connectionName=me@10.0.0.9', /an @ behind a \?/],
    ['esdb://localhost?tls', /no sensible value for "tls"/],
  ])('%s is refused with what to do', (url, message) => {
    expect(() => parseConnectionString(url)).toThrow(message);
  });

  test.each([
    'esdb://user:s3cret@host?unknown=1',
    'esdb://user:s3cret@',
    'kurrentdb://user:s3cret@host',
    'esdb://us:er:s3cret@host',
    'esdb://user:s3cret@host:port',
    'esdb://user:s3cret@[::1]',
    'esdb://user:s3cret@host/path',
    'esdb://admin:s3cret?x@host:2113',
    'esdb://admin:1?s3cret@host:2113',
  ])('the refusal of %s does not show the credentials', (url) => {
    let message = '';
    try {
      parseConnectionString(url);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toMatch(/^EVENTSTORE_URL /);
    expect(message).not.toContain('s3cret');
  });
});
