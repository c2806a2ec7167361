/** What the page of the jobs reads of its address. Whatever is not known is dropped. */
import type { OperationKind, OperationState } from '../../api/operations.ts';

export const STATES: OperationState[] = ['queued', 'running', 'succeeded', 'failed', 'cancelled'];
export const KINDS: OperationKind[] = ['verify_key', 'plan_usage', 'fetch_usage', 'revoke'];

export interface JobSearch {
  /** Dead letters instead of operations. */
  show?: 'dead-letters';
  kind?: OperationKind;
  state?: OperationState;
  integration_id?: string;
}

export function jobSearch(search: Record<string, unknown>): JobSearch {
  const kind = KINDS.find((known) => known === search.kind);
  const state = STATES.find((known) => known === search.state);
  const { integration_id: id } = search;
  return {
    ...(search.show === 'dead-letters' && { show: 'dead-letters' }),
    ...(kind && { kind }),
    ...(state && { state }),
    ...(typeof id === 'string' && /^int_[0-9a-f]{32}$/.test(id) && { integration_id: id }),
  };
}
