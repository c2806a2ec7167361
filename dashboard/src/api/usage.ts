import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, data, given, type Schemas } from './client.ts';

export type Usage = Schemas['UsageView'];
export type Drift = Schemas['DriftView'];
export type GroupBy = Schemas['GroupBy'];
export type Ledger = Schemas['Ledger'];

/** Days of UTC; `to` is the first one that is not among them. */
export interface Range {
  from: string;
  to: string;
}

export interface UsageFilter {
  provider?: string | undefined;
  project_id?: string | undefined;
  integration_id?: string | undefined;
  virtual_key_id?: string | undefined;
}

/** Sums of a range. The ledgers count the same calls: they are never added up. */
export const usage = (range: Range, filter: UsageFilter, group_by: GroupBy[], ledger: Ledger[] = ['metered']) =>
  queryOptions({
    queryKey: ['usage', range, filter, group_by, ledger],
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const query = given({ ...range, ...filter, group_by, ledger });
      return (await data(api.GET('/api/v1/usage', { params: { query }, signal }))).items;
    },
  });

const DRIFT_ROWS = 1_000;

/** What providers report for keys beside what was metered. */
export const drift = (range: Range, integration_id: string | undefined) =>
  infiniteQueryOptions({
    queryKey: ['usage', 'drift', range, integration_id],
    initialPageParam: '',
    placeholderData: keepPreviousData,
    queryFn: ({ pageParam, signal }) => {
      const query = given({ ...range, integration_id, limit: DRIFT_ROWS, cursor: pageParam });
      return data(api.GET('/api/v1/usage/drift', { params: { query }, signal }));
    },
    getNextPageParam: (page) => page.next_cursor,
  });

/** Starts a fetch of what providers report of the last days. */
export const fetchUsage = (body: Schemas['FetchInput']) => data(api.POST('/api/v1/usage/fetch', { body }));
