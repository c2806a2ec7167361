import { infiniteQueryOptions } from '@tanstack/react-query';
import { api, data, given, type Schemas } from './client.ts';

export type DeadLetter = Schemas['DeadLetterView'];

const PAGE_ROWS = 100;
/** Largest page that the server gives. */
const MOST_ROWS = 200;

async function page(limit: number, cursor: string, signal?: AbortSignal) {
  const query = given({ limit, cursor });
  return data(api.GET('/api/v1/dead-letters', { params: { query }, ...(signal && { signal }) }));
}

export const deadLetters = infiniteQueryOptions({
  queryKey: ['dead-letters'],
  initialPageParam: '',
  queryFn: ({ pageParam, signal }) => page(PAGE_ROWS, pageParam, signal),
  getNextPageParam: (found) => found.next_cursor,
  refetchInterval: 10_000,
});

/** Walks through all of them, newest first. */
export async function* wholeDeadLetters(): AsyncGenerator<DeadLetter[]> {
  let cursor: string | null | undefined = '';
  while (typeof cursor === 'string') {
    const found: Awaited<ReturnType<typeof page>> = await page(MOST_ROWS, cursor);
    yield found.items;
    cursor = found.next_cursor;
  }
}

/** Hands one to its lane again. */
export const replay = (id: string) => data(api.POST('/api/v1/dead-letters/{id}/replay', { params: { path: { id } } }));

export const discard = (id: string) => api.POST('/api/v1/dead-letters/{id}/discard', { params: { path: { id } } });
