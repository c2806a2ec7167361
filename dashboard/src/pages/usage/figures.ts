/** Sums of a usage report: by group, by day, in money or tokens. Unknown is never nothing. */
import type { Range, Usage } from '../../api/usage.ts';
import type { Group, Unit, UsageSearch } from './search.ts';

const DAY_MS = 86_400_000;
/** Groups that are shown by themselves; the others are one series. */
export const MAX_SERIES = 12;
/** Key of the others; no model has such a name, as no database keeps it. */
export const OTHERS = '\0others';

export interface Sum {
  requests: number;
  failed: number;
  refused: number;
  /** Input and output; null: none is known. */
  tokens: bigint | null;
  costNanoUsd: bigint | null;
  /** Calls that are missing from the sums above, because it is unknown what they were. */
  unknownTokens: number;
  unpriced: number;
}

/** Adds up rows of one ledger. */
export function sum(rows: Usage[]): Sum {
  const total: Sum = {
    requests: 0,
    failed: 0,
    refused: 0,
    tokens: null,
    costNanoUsd: null,
    unknownTokens: 0,
    unpriced: 0,
  };
  for (const row of rows) {
    total.requests += row.requests ?? 0;
    total.failed += row.failed_requests ?? 0;
    total.refused += row.refused_requests ?? 0;
    total.unknownTokens += row.unknown_token_requests ?? 0;
    total.unpriced += row.unpriced_requests ?? 0;
    total.tokens = plus(plus(total.tokens, row.input_tokens), row.output_tokens);
    total.costNanoUsd = plus(total.costNanoUsd, row.cost_nano_usd);
  }
  return total;
}

function plus(known: bigint | null, more: number | null | undefined): bigint | null {
  return more === null || more === undefined ? known : (known ?? 0n) + BigInt(more);
}

export function valueOf(total: Sum, unit: Unit): bigint | null {
  return unit === 'money' ? total.costNanoUsd : total.tokens;
}

/** Returns what a row is grouped by; empty: it has none. */
export function keyOf(row: Usage, group: Group): string {
  if (group === 'day') return '';
  const named = group === 'model' || group === 'provider' ? group : (`${group}_id` as const);
  return row[named] ?? '';
}

export interface Grouped {
  key: string;
  total: Sum;
}

/** Adds up rows by their group, the largest first. */
export function grouped(rows: Usage[], group: Group, unit: Unit): Grouped[] {
  const found = Map.groupBy(rows, (row) => keyOf(row, group));
  const size = (total: Sum) => valueOf(total, unit) ?? -1n;
  return [...found]
    .map(([key, own]) => ({ key, total: sum(own) }))
    .toSorted((a, b) => {
      const difference = size(b.total) - size(a.total);
      return difference === 0n ? b.total.requests - a.total.requests : difference > 0n ? 1 : -1;
    });
}

export interface DayValues {
  key: string;
  values: (bigint | null)[];
}

/** Returns the values of each day: of the largest groups, and of all others together. */
export function byDay(rows: Usage[], groups: Grouped[], days: string[], group: Group, unit: Unit): DayValues[] {
  const shown = groups.slice(0, MAX_SERIES).map(({ key }) => key);
  const own = new Set(shown);
  const found = Map.groupBy(rows, (row) => (own.has(keyOf(row, group)) ? keyOf(row, group) : OTHERS));
  return [...shown, ...(found.has(OTHERS) ? [OTHERS] : [])].map((key) => {
    const ofDays = Map.groupBy(found.get(key) ?? [], (row) => row.day ?? '');
    return { key, values: days.map((day) => valueOf(sum(ofDays.get(day) ?? []), unit)) };
  });
}

/** Returns the change in percent; null: there is nothing to compare with. */
export function change(now: bigint | null, then: bigint | null): number | null {
  if (now === null || then === null || then === 0n) return null;
  return Number(((now - then) * 1000n) / then) / 10;
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** Returns the days that an address asks for; today is among them. */
export function rangeOf({ range = '30d', from, until }: UsageSearch, nowMs: number): Range {
  if (from !== undefined && until !== undefined) return { from, to: dayOf(Date.parse(until) + DAY_MS) };
  const to = dayOf(nowMs + DAY_MS);
  if (range === 'month') return { from: `${dayOf(nowMs).slice(0, 7)}-01`, to };
  return { from: dayOf(Date.parse(to) - Number.parseInt(range, 10) * DAY_MS), to };
}

/** Returns as many days, right before. */
export function before({ from, to }: Range): Range {
  return { from: dayOf(2 * Date.parse(from) - Date.parse(to)), to: from };
}

export function daysOf({ from, to }: Range): string[] {
  const count = Math.round((Date.parse(to) - Date.parse(from)) / DAY_MS);
  return Array.from({ length: count }, (_, index) => dayOf(Date.parse(from) + index * DAY_MS));
}
