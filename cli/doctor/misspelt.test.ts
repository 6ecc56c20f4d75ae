import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { settingNames } from '#cli/doctor/environment.ts';
import { editsBetween, misspeltSettings } from '#cli/doctor/misspelt.ts';

describe('names that look like settings', () => {
  test.each([
    ['KAFKA_BROKER', 'KAFKA_BROKERS'],
    ['DATBASE_URL', 'DATABASE_URL'],
    ['DATABASE_ULR', 'DATABASE_URL'],
    ['EVENTSTORE_URI', 'EVENTSTORE_URL'],
    ['REDIS_URL_FIEL', 'REDIS_URL_FILE'],
    ['redis_url', 'REDIS_URL'],
    ['COOL_MINT_DATABASE_URL', 'DATABASE_URL'],
    ['COOL_MINT_PORT', 'PORT'],
    ['MINT_TOKE', 'MINT_TOKEN'],
  ])('%s: %s is meant', (name, meant) => {
    expect([...misspeltSettings([name], settingNames)]).toEqual([[name, meant]]);
  });

  test('settings themselves, and what others have in their environment, are left alone', () => {
    const others =
      'PATH HOME HOSTNAME PWD OLDPWD SHELL TERM LANG USER POST HOSTS port demo http_proxy NO_PROXY NODE_OPTIONS NODE_ENV AWS_REGION PGHOST PGPORT REDIS_PORT REDIS_HOST REDIS_SERVICE_HOST KAFKA_PORT KAFKA_HOME KAFKA_OPTS POSTGRES_PASSWORD OTEL_SERVICE_NAME DATABASE_NAME LOG_FILE'.split(
        ' ',
      );
    expect([...misspeltSettings([...settingNames, ...others], settingNames)]).toEqual([]);
  });

  test('whatever letter of a long setting is left out, the setting is found', () => {
    const long = settingNames.filter((name) => name.length >= 9);
    fc.assert(
      fc.property(fc.constantFrom(...long), fc.nat(), (name, at) => {
        const place = at % name.length;
        const mistaken = name.slice(0, place) + name.slice(place + 1);
        expect(misspeltSettings([mistaken], settingNames).has(mistaken)).toBe(!settingNames.includes(mistaken));
      }),
    );
  });

  test('the edits between two texts are as many back, and none only between equal ones', () => {
    const text = fc.string({ unit: fc.constantFrom('A', 'B', '_'), maxLength: 8 });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(editsBetween(a, b)).toBe(editsBetween(b, a));
        expect(editsBetween(a, b) === 0).toBe(a === b);
        expect(editsBetween(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
    expect(editsBetween('AB', 'BA')).toBe(1);
  });
});
