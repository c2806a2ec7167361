import { queryOptions } from '@tanstack/react-query';
import { api, data, type Schemas } from './client.ts';
import { monthStart } from './spend.ts';

type Usage = Schemas['UsageView'];

/** Sums of some days. */
export interface Sums {
  /** Null: there were calls, and the cost of none is known. */
  costNanoUsd: bigint | null;
  calls: number;
  failed: number;
  /** Calls whose cost is unknown and missing from it. */
  unpriced: number;
}

/** Estimates of the milliseconds within which half of the calls ended, and 99 % of them. */
export interface Durations {
  p50Ms: number;
  p99Ms: number;
}

/** Adds up the rows of the days from one to before another; days are texts like `2026-11-29`. */
export function sum(rows: Usage[], from: string, before: string): Sums {
  const within = rows.filter(({ day }) => typeof day === 'string' && day >= from && day < before);
  const count = (of: (row: Usage) => number | null | undefined) => within.reduce((all, row) => all + (of(row) ?? 0), 0);
  const costs = within.flatMap(({ cost_nano_usd }) =>
    typeof cost_nano_usd === 'number' ? [BigInt(cost_nano_usd)] : [],
  );
  const calls = count((row) => row.requests);
  const isUnknown = costs.length === 0 && calls > 0;
  return {
    costNanoUsd: isUnknown ? null : costs.reduce((all, cost) => all + cost, 0n),
    calls,
    failed: count((row) => row.failed_requests),
    unpriced: count((row) => row.unpriced_requests),
  };
}

/** Today, this month, and as many days of the month before; all of UTC. */
export function periods(rows: Usage[], now: Date) {
  const today = now.toISOString().slice(0, 10);
  const after = dayAfter(today);
  const [month, before] = [monthStart(now), monthStart(now, 1)];
  // A month that is shorter ends where this one began.
  const same = dayAfter(`${before.slice(0, 8)}${today.slice(8)}`, month);
  return { today: sum(rows, today, after), month: sum(rows, month, after), before: sum(rows, before, same) };
}

/** How long the calls of today took so far; undefined: there was none. */
export function durationsToday(rows: Usage[], now: Date): Durations | undefined {
  const today = rows.find(({ day }) => day === now.toISOString().slice(0, 10));
  const [p50Ms, p99Ms] = [today?.duration_p50_ms, today?.duration_p99_ms];
  return typeof p50Ms === 'number' && typeof p99Ms === 'number' ? { p50Ms, p99Ms } : undefined;
}

function dayAfter(day: string, latest = '9999'): string {
  const [year, month, date] = day.split('-').map(Number);
  const next = new Date(Date.UTC(year!, month! - 1, date! + 1)).toISOString().slice(0, 10);
  return next < latest ? next : latest;
}

export const spendByDay = queryOptions({
  queryKey: ['usage', 'overview'],
  queryFn: async ({ signal }) => {
    const query = { from: monthStart(new Date(), 1), group_by: ['day' as const] };
    return (await data(api.GET('/api/v1/usage', { params: { query }, signal }))).items;
  },
});

export const drift = queryOptions({
  queryKey: ['usage', 'drift', 'overview'],
  queryFn: async ({ signal }) => (await data(api.GET('/api/v1/usage/drift', { signal }))).items,
});

/** The first integrations with an error, and how many there are of each status. */
export const troubled = queryOptions({
  queryKey: ['integrations', 'troubled'],
  queryFn: ({ signal }) => {
    const query = { status: 'error' as const, limit: 5, counts: true };
    return data(api.GET('/api/v1/integrations', { params: { query }, signal }));
  },
});

export const deadLetters = queryOptions({
  queryKey: ['dead-letters', 'overview'],
  queryFn: ({ signal }) => data(api.GET('/api/v1/dead-letters', { params: { query: { limit: 100 } }, signal })),
});
