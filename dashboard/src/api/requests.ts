import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, data, given, type Schemas } from './client.ts';

export type Call = Schemas['RequestView'];
export type CallOutcome = Schemas['CallOutcome'];
export type Credential = Schemas['Credential'];

const PAGE_ROWS = 100;
/** Pages without a single call that are asked for in one go, where a filter lets few through. */
const EMPTY_PAGES = 20;

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
    queryFn: async ({ pageParam, signal }) => {
      const from = sinceMs === undefined ? undefined : new Date(Date.now() - sinceMs).toISOString();
      const next = (cursor: string) => {
        const query = given({ ...filter, from, limit: PAGE_ROWS, cursor });
        return data(api.GET('/api/v1/requests', { params: { query }, signal }));
      };
      let page = await next(pageParam);
      for (let more = EMPTY_PAGES; more > 0 && page.items.length === 0 && page.next_cursor; more -= 1) {
        page = await next(page.next_cursor);
      }
      return page;
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
