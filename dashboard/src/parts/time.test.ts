import { expect, test } from 'vitest';
import { writeDistance } from './time.tsx';

test('a distance is told in its largest whole unit', () => {
  const now = Date.parse('2026-11-28T12:00:00Z');
  for (const [at, expected] of [
    ['2026-11-28T12:00:00Z', 'now'],
    ['2026-11-28T11:59:20Z', '40 sec. ago'],
    ['2026-11-28T10:01:00Z', '1 hr. ago'],
    ['2026-12-01T12:00:00Z', 'in 3 days'],
    ['2024-11-28T12:00:00Z', '2 yr. ago'],
  ] as const) {
    expect(writeDistance(now, Date.parse(at), 'en')).toBe(expected);
  }
});
