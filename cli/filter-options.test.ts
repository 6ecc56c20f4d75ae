import { Command } from 'commander';
import { expect, test } from 'vitest';
import { auditQuery } from '#cli/audit.ts';
import { addFilterOptions, type FilterOptions, filterOf, filterQuery } from '#cli/filter-options.ts';
import { chosenOf, selectVerb } from '#cli/select.ts';
import { fromInstant, toInstant, wholeNumber } from '#cli/verb.ts';

function optionsOf(...args: string[]): FilterOptions {
  const command = addFilterOptions(new Command().exitOverride().configureOutput({ writeErr: () => undefined }));
  return command.parse(args, { from: 'user' }).opts();
}

test('options become the filter of the API: repeated ones or lists mean or', () => {
  expect(
    filterOf(
      optionsOf(
        '--kind',
        'call,email',
        '--kind',
        'task',
        '--status',
        'Waiting, maybe',
        '--open',
        '--not-selected',
        '--text',
        'renewal',
      ),
    ),
  ).toEqual({
    kind: ['call', 'email', 'task'],
    status: ['Waiting, maybe'],
    closed: false,
    selected: false,
    text: 'renewal',
  });
});

test('a day lasts to its end, in UTC; a time is taken as it is', () => {
  expect(filterOf(optionsOf('--from', '2026-01-01', '--to', '2026-01-31'))).toEqual({
    occurredAt: { gte: '2026-01-01T00:00:00.000Z', lt: '2026-02-01T00:00:00.000Z' },
  });
  expect(toInstant('2026-01-31T10:00:00+02:00')).toBe('2026-01-31T08:00:00.000Z');
  for (const wrong of ['2026-02-31', '1/31/2026', '2026-01-31T10:00', 'yesterday'])
    expect(() => fromInstant(wrong)).toThrow('Expected a date');
});

test('no option is no filter, which is not the same as an empty one', () => {
  expect(filterOf(optionsOf())).toBeNull();
});

test('a value that cannot be is refused by the name of its option', () => {
  expect(() => filterOf(optionsOf('--kind', 'fax'))).toThrow(/^--kind: /);
  expect(() => filterOf(optionsOf('--in', 'x'))).toThrow(/^--in: /);
  expect(() => optionsOf('--open', '--closed')).toThrow(/cannot be used with/);
});

test('the filter as query parameters repeats names and brackets bounds', () => {
  const query = filterQuery(filterOf(optionsOf('--kind', 'call,email', '--closed', '--from', '2026-01-01')));
  expect(decodeURIComponent(query.toString())).toBe(
    'kind=call&kind=email&closed=true&occurredAt[gte]=2026-01-01T00:00:00.000Z',
  );
});

test('a selection is made of ids or of a filter, never of nothing or both', () => {
  const parse = (...args: string[]) =>
    chosenOf(
      selectVerb()
        .exitOverride()
        .action(() => undefined)
        .parse(args, { from: 'user' })
        .opts(),
    );
  expect(parse('--ids', 'a, b')).toEqual({ ids: ['a', 'b'] });
  expect(parse('--kind', 'call', '--exclude', 'c', '--expect', '3')).toEqual({
    filter: { kind: ['call'] },
    exclude: ['c'],
    expectedCount: 3,
  });
  expect(() => parse()).toThrow('Say what to select');
  expect(() => parse('--ids', 'a', '--kind', 'call')).toThrow('Give either --ids or a filter');
});

test('options of the audit trail become its query parameters', () => {
  const query = auditQuery({
    actor: 'ann',
    action: ['SelectionFrozen', 'SelectionShared'],
    from: '2026-01-01T00:00:00.000Z',
    allEvents: true,
  });
  expect(decodeURIComponent(query.toString())).toBe(
    'actor=ann&action=SelectionFrozen&action=SelectionShared&at[gte]=2026-01-01T00:00:00.000Z&events=all',
  );
});

test('numbers are whole and in their range', () => {
  expect(wholeNumber(1, 200)('20')).toBe(20);
  for (const wrong of ['0', '201', '1.5', '1e2', '-1', ''])
    expect(() => wholeNumber(1, 200)(wrong)).toThrow('from 1 to 200');
});
