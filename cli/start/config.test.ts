import { describe, expect, test } from 'vitest';
import { startConfig } from '#cli/start/config.ts';

describe('TRUSTED_PROXIES', () => {
  test('are addresses, networks and the three names of networks', () => {
    const list = '10.0.0.0/8, 192.168.1.7,loopback,fd00::/8,::1,uniquelocal';
    expect(startConfig({ TRUSTED_PROXIES: list }).TRUSTED_PROXIES).toEqual(list.split(/, ?/));
    expect(startConfig({ TRUSTED_PROXIES: '' }).TRUSTED_PROXIES).toBeUndefined();
  });

  test.each([
    'everybody',
    '10.0.0.0/33',
    '10.0.0.0/8/1',
    '10.0.0',
    'loopback/8',
    '10.0.0.1,',
    '*',
    '10.0.0.1/',
    '0.0.0.0/0',
    '::/0',
    '10.0.0.0/00',
  ])('%s is refused', (list) => {
    expect(() => startConfig({ TRUSTED_PROXIES: list })).toThrow(/^TRUSTED_PROXIES: must be addresses/);
  });
});
