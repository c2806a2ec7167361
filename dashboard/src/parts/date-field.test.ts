import { expect, test } from 'vitest';
import { dayOf, endOf } from './date-field.tsx';

test('a day is kept, and ends with its last second', () => {
  for (const day of ['2026-01-01', '2028-02-29', '2026-12-31']) {
    const end = new Date(endOf(day)!);
    expect(dayOf(end)).toBe(day);
    expect(dayOf(new Date(end.getTime() + 1_000))).not.toBe(day);
  }
  expect(endOf('')).toBeNull();
});
