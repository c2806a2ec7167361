import { expect, test } from 'vitest';
import { keyStatus } from './key-status.tsx';

test('a key is what ends it first', () => {
  const now = Date.parse('2026-11-29T12:00:00Z');
  const [before, after] = ['2026-11-29T11:59:59Z', '2026-11-29T12:00:01Z'];
  for (const [row, expected] of [
    [{ limits: {} }, 'active'],
    [{ limits: { requests_per_minute: 1 }, expires_at: after }, 'active'],
    [{ limits: { requests_per_minute: 0 }, expires_at: after }, 'disabled'],
    [{ limits: { requests_per_minute: 0 }, expires_at: before }, 'expired'],
    [{ limits: {}, expires_at: before, revoked_at: before }, 'revoked'],
  ] as const) {
    expect(keyStatus(row, now)).toBe(expected);
  }
});
