/** What the request log reads of its address. Whatever is not known is dropped. */
import type { CallFilter, CallOutcome, Credential } from '../../api/requests.ts';

export const SINCE = { '15m': 900_000, '1h': 3_600_000, '24h': 86_400_000, '7d': 604_800_000 } as const;
export type Since = keyof typeof SINCE;
export const OUTCOMES: CallOutcome[] = ['completed', 'broken_off', 'settled', 'refused'];
const CREDENTIALS: Credential[] = ['own', 'fallback'];

export interface CallSearch extends CallFilter {
  /** Distance from now; undefined: all calls that are kept. */
  since?: Since;
}

const ID = /^[a-z]+_[0-9a-f]{32}$/;
const FORMS = {
  project_id: ID,
  virtual_key_id: ID,
  integration_id: ID,
  provider: /^[a-z0-9_-]{1,64}$/,
  model: /^.{1,200}$/s,
  http_status: /^[1-5](\d\d|xx)$/,
  refused_code: /^[a-z0-9_]{1,64}$/,
} as const;

export function callSearch(search: Record<string, unknown>): CallSearch {
  const texts = Object.entries(FORMS).map(([name, form]) => {
    const value = search[name];
    // A name or status made of digits is read as a number.
    const text = typeof value === 'number' ? String(value) : value;
    return [name, typeof text === 'string' && form.test(text) ? text : undefined];
  });
  const found: CallSearch = Object.fromEntries(texts.filter(([, value]) => value !== undefined));
  const outcome = OUTCOMES.find((known) => known === search.outcome);
  const credential = CREDENTIALS.find((known) => known === search.credential);
  const since = (Object.keys(SINCE) as Since[]).find((known) => known === search.since);
  return { ...found, ...(outcome && { outcome }), ...(credential && { credential }), ...(since && { since }) };
}

/** Returns the id that a text is, without what was pasted around it. */
export function idOf(text: string): string | null {
  return /\breq_[0-9a-f]{32}\b/.exec(text)?.[0] ?? null;
}
