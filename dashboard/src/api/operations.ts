import { infiniteQueryOptions, keepPreviousData } from '@tanstack/react-query';
import { api, data, given, type Schemas } from './client.ts';
import { hasEnded, type Operation } from './integrations.ts';

export type OperationKind = Schemas['OperationKind'];
export type OperationState = Schemas['OperationState'];

const PAGE_ROWS = 100;
/** Largest page that the server gives. */
const MOST_ROWS = 200;
/** Distances between two looks: while work is under way, and while none is. */
const BUSY_MS = 1_500;
const IDLE_MS = 10_000;

export interface OperationFilter {
  kind?: OperationKind;
  state?: OperationState;
  parent_id?: string;
  integration_id?: string;
}

async function page(filter: OperationFilter, limit: number, cursor: string, signal?: AbortSignal) {
  const query = given({ ...filter, limit, cursor });
  return data(api.GET('/api/v1/operations', { params: { query }, ...(signal && { signal }) }));
}

export const operations = (filter: OperationFilter) =>
  infiniteQueryOptions({
    queryKey: ['operations', 'list', filter],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => page(filter, PAGE_ROWS, pageParam, signal),
    getNextPageParam: (found) => found.next_cursor,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      state.data?.pages.some(({ items }) => items.some((row) => !hasEnded(row))) ? BUSY_MS : IDLE_MS,
  });

/** Walks through everything that a filter finds, newest first. */
export async function* wholeOperations(filter: OperationFilter): AsyncGenerator<Operation[]> {
  let cursor: string | null | undefined = '';
  while (typeof cursor === 'string') {
    const found: Awaited<ReturnType<typeof page>> = await page(filter, MOST_ROWS, cursor);
    yield found.items;
    cursor = found.next_cursor;
  }
}

/** Tries an operation that failed or was called off once more. */
export const retry = (id: string) => data(api.POST('/api/v1/operations/{id}/retry', { params: { path: { id } } }));

/** Calls an operation off, with its children. */
export const cancel = (id: string) => data(api.POST('/api/v1/operations/{id}/cancel', { params: { path: { id } } }));
