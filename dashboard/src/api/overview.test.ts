// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { durationsToday, periods, sum } from './overview.ts';

const row = (day: string, cost_nano_usd: number | null, requests = 1) => ({
  ledger: 'metered' as const,
  day,
  cost_nano_usd,
  requests,
  failed_requests: 1,
  unpriced_requests: cost_nano_usd === null ? requests : 0,
});

test('unknown cost is not nothing, and no call costs nothing', () => {
  expect(sum([row('2026-11-29', null)], '2026-11-29', '2026-11-30').costNanoUsd).toBeNull();
  expect(sum([], '2026-11-29', '2026-11-30').costNanoUsd).toBe(0n);
  expect(sum([row('2026-11-28', 5), row('2026-11-29', null, 3)], '2026-11-01', '2026-12-01')).toEqual({
    costNanoUsd: 5n,
    calls: 4,
    failed: 2,
    unpriced: 3,
  });
});

test('the month before counts as many days as this one has', () => {
  const rows = [
    row('2026-02-01', 1),
    row('2026-02-28', 2),
    row('2026-03-01', 4),
    row('2026-03-30', 8),
    row('2026-03-31', 16),
  ];
  const cost = (now: string) => {
    const { today, month, before } = periods(rows, new Date(now));
    return [today.costNanoUsd, month.costNanoUsd, before.costNanoUsd];
  };
  expect(cost('2026-03-30T12:00:00Z')).toEqual([8n, 12n, 3n]);
  expect(cost('2026-03-01T00:00:00Z')).toEqual([4n, 4n, 1n]);
  expect(cost('2026-03-31T23:59:59Z')).toEqual([16n, 28n, 3n]);
});

test('how long calls took is that of today alone, and unknown without a call', () => {
  const rows = [
    { ...row('2026-11-28', 1), duration_p50_ms: 7, duration_p99_ms: 8 },
    { ...row('2026-11-29', 1), duration_p50_ms: 250, duration_p99_ms: 3000 },
    { ...row('2026-11-30', 1), duration_p50_ms: null, duration_p99_ms: null },
  ];
  const at = (now: string) => durationsToday(rows, new Date(now));
  expect(at('2026-11-29T23:59:59Z')).toEqual({ p50Ms: 250, p99Ms: 3000 });
  expect(at('2026-11-30T00:00:00Z')).toBeUndefined();
  expect(at('2026-12-01T00:00:00Z')).toBeUndefined();
});
