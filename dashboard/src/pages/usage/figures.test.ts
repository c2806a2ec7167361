import { expect, test } from 'vitest';
import type { Usage } from '../../api/usage.ts';
import { before, byDay, change, daysOf, grouped, OTHERS, rangeOf, sum } from './figures.ts';
import { usageSearch } from './search.ts';

const NOW_MS = Date.parse('2026-11-28T23:30:00Z');

function row(over: Partial<Usage>): Usage {
  return { ledger: 'metered', day: '2026-11-01', model: 'gpt-4o', requests: 1, ...over };
}

test('what is unknown is no nothing, and is counted', () => {
  const unknown = row({ requests: 3, cost_nano_usd: null, unpriced_requests: 3, input_tokens: 5, output_tokens: null });
  expect(sum([unknown])).toMatchObject({ requests: 3, costNanoUsd: null, unpriced: 3, tokens: 5n });
  expect(sum([unknown, row({ cost_nano_usd: 0 })])).toMatchObject({ costNanoUsd: 0n, unpriced: 3 });
  expect(sum([])).toMatchObject({ requests: 0, costNanoUsd: null, tokens: null });
});

test('the largest groups stand first, those of unknown size last', () => {
  const rows = [
    row({ model: 'unpriced', requests: 90 }),
    row({ model: 'small', cost_nano_usd: 1 }),
    row({ model: 'large', cost_nano_usd: 7 }),
    row({ model: 'large', cost_nano_usd: 7, day: '2026-11-02' }),
    row({ model: null, cost_nano_usd: 3 }),
  ];
  expect(grouped(rows, 'model', 'money').map(({ key }) => key)).toEqual(['large', '', 'small', 'unpriced']);
  expect(grouped(rows, 'day', 'money').map(({ key }) => key)).toEqual(['']);
});

test('beyond twelve series the rest is one', () => {
  const rows = Array.from({ length: 15 }, (_, index) => row({ model: `m${index}`, cost_nano_usd: 100 - index }));
  const series = byDay(rows, grouped(rows, 'model', 'money'), ['2026-11-01', '2026-11-02'], 'model', 'money');
  expect(series.length).toBe(13);
  expect(series[0]).toEqual({ key: 'm0', values: [100n, null] });
  expect(series.at(-1)).toEqual({ key: OTHERS, values: [88n + 87n + 86n, null] });
});

test('a range ends with today, and is compared with as many days before it', () => {
  for (const [search, from, to, previous] of [
    [{ range: '7d' }, '2026-11-22', '2026-11-29', '2026-11-15'],
    [{}, '2026-10-30', '2026-11-29', '2026-09-30'],
    [{ range: 'month' }, '2026-11-01', '2026-11-29', '2026-10-04'],
    [{ from: '2026-02-01', until: '2026-02-28' }, '2026-02-01', '2026-03-01', '2026-01-04'],
  ] as const) {
    const range = rangeOf(search, NOW_MS);
    expect(range).toEqual({ from, to });
    expect(before(range)).toEqual({ from: previous, to: from });
  }
  expect(daysOf({ from: '2026-02-27', to: '2026-03-02' })).toEqual(['2026-02-27', '2026-02-28', '2026-03-01']);
});

test('a change is told only where there is something to compare with', () => {
  for (const [now, then, expected] of [
    [150n, 100n, 50],
    [1n, 3n, -66.6],
    [5n, 0n, null],
    [5n, null, null],
    [null, 5n, null],
  ] as const) {
    expect(change(now, then)).toBe(expected);
  }
});

test('an address is believed only where it makes sense', () => {
  expect(usageSearch({ range: '7d', group: 'provider', unit: 'tokens', other: 1 })).toEqual({
    range: '7d',
    group: 'provider',
    unit: 'tokens',
  });
  expect(usageSearch({ range: 'ever', group: '', unit: 4, from: '2026-13-40', until: '2026-11-01' })).toEqual({});
  expect(usageSearch({ from: '2026-11-02', until: '2026-11-01' })).toEqual({});
  expect(usageSearch({ integration_id: '../me' })).toEqual({});
});
