/** What the page of the usage reads of its address. Whatever is not known is dropped. */

export const RANGES = ['7d', '30d', '90d', 'month'] as const;
export const GROUPS = ['model', 'provider', 'integration', 'virtual_key', 'project', 'day'] as const;
export const UNITS = ['money', 'tokens'] as const;

export type RangeName = (typeof RANGES)[number];
export type Group = (typeof GROUPS)[number];
export type Unit = (typeof UNITS)[number];

export interface UsageSearch {
  /** Last 30 days, if neither this nor two days are there. */
  range?: RangeName;
  /** First and last day, both among them. */
  from?: string;
  until?: string;
  group?: Group;
  unit?: Unit;
  provider?: string;
  project_id?: string;
  integration_id?: string;
  virtual_key_id?: string;
}

const ID = /^[a-z]+_[0-9a-f]{32}$/;

export function usageSearch(search: Record<string, unknown>): UsageSearch {
  const [from, until] = [search.from, search.until].map(day);
  const isSpan = from !== undefined && until !== undefined && from <= until;
  const found = {
    range: among(RANGES, search.range),
    ...(isSpan ? { from, until } : {}),
    group: among(GROUPS, search.group),
    unit: among(UNITS, search.unit),
    provider: like(/^[a-z0-9_-]{1,64}$/, search.provider),
    project_id: like(ID, search.project_id),
    integration_id: like(ID, search.integration_id),
    virtual_key_id: like(ID, search.virtual_key_id),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

function day(value: unknown): string | undefined {
  const isDay = typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value));
  return isDay ? value : undefined;
}

function among<T extends string>(known: readonly T[], value: unknown): T | undefined {
  return known.find((one) => one === value);
}

function like(form: RegExp, value: unknown): string | undefined {
  return typeof value === 'string' && form.test(value) ? value : undefined;
}
