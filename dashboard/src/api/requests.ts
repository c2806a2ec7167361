import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, data, given, type Schemas } from './client.ts';

export type Call = Schemas['RequestView'];
export type CallOutcome = Schemas['CallOutcome'];
export type Credential = Schemas['Credential'];

const PAGE_ROWS = 100;

export interface CallFilter {
  project_id?: string;
  virtual_key_id?: string;
  integration_id?: string;
  credential?: Credential;
  provider?: string;
  model?: string;
  http_status?: string;
  outcome?: CallOutcome;
  refused_code?: string;
}

/** Calls since a time in milliseconds ago; undefined: all that are kept. */
export const calls = (filter: CallFilter, sinceMs: number | undefined, everyMs: number | false) =>
  infiniteQueryOptions({
    queryKey: ['calls', filter, sinceMs],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => {
      const from = sinceMs === undefined ? undefined : new Date(Date.now() - sinceMs).toISOString();
      const query = given({ ...filter, from, limit: PAGE_ROWS, cursor: pageParam });
      return data(api.GET('/api/v1/requests', { params: { query }, signal }));
    },
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
    refetchInterval: everyMs,
  });

export const call = (id: string) =>
  queryOptions({
    queryKey: ['calls', 'one', id],
    queryFn: ({ signal }) => data(api.GET('/api/v1/requests/{id}', { params: { path: { id } }, signal })),
  });
