import { expect, test } from 'vitest';
import { readDollars, readLimits, writeDollars } from './limits.tsx';

test('dollars are read and written exactly', () => {
  for (const [text, nanoUsd, back] of [
    ['25', 25_000_000_000, '25'],
    ['0.50', 500_000_000, '0.5'],
    ['0,000000001', 1, '0.000000001'],
    ['0', 0, '0'],
    ['8999999.999999999', 8_999_999_999_999_999, '8999999.999999999'],
  ] as const) {
    expect(readDollars(text)).toBe(nanoUsd);
    expect(writeDollars(nanoUsd)).toBe(back);
  }
  expect(readDollars('')).toBeNull();
});

test('an empty field removes its limit, and nought is a limit', () => {
  const form = new FormData();
  form.set('requests_per_minute', ' 0 ');
  form.set('tokens_per_minute', '');
  form.set('monthly_budget_nano_usd', '12,5');
  expect(readLimits(form)).toEqual({
    requests_per_minute: 0,
    tokens_per_minute: null,
    daily_budget_nano_usd: null,
    monthly_budget_nano_usd: 12_500_000_000,
  });
});
