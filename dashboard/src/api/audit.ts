import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, data, given, type Schemas } from './client.ts';

export type AuditEvent = Omit<Schemas['AuditView'], 'actor' | 'changes'> & { actor: Actor; changes: Changes };
export type ActorType = Schemas['ActorType'];
export type Changes = Record<string, unknown>;

export interface Actor {
  type: ActorType;
  /** Of a person, a service or a virtual key. */
  id?: string;
  /** Of Keyway itself. */
  part?: string;
}

export interface AuditFilter {
  action?: string;
  target?: string;
  actor_type?: ActorType;
  from?: string;
  to?: string;
}

const PAGE_ROWS = 100;
/** Largest page that the server gives. */
const MOST_ROWS = 200;

async function page(filter: AuditFilter, limit: number, cursor: string, signal?: AbortSignal) {
  const query = given({ ...filter, limit, cursor });
  const found = await data(api.GET('/api/v1/audit', { params: { query }, ...(signal && { signal }) }));
  return { items: found.items as unknown as AuditEvent[], next_cursor: found.next_cursor };
}

export const audit = (filter: AuditFilter) =>
  infiniteQueryOptions({
    queryKey: ['audit', filter],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => page(filter, PAGE_ROWS, pageParam, signal),
    getNextPageParam: (found) => found.next_cursor,
    placeholderData: keepPreviousData,
  });

/** Last signed checkpoint of the log; null before the first. */
export const lastCheckpoint = queryOptions({
  queryKey: ['audit', 'checkpoint'],
  queryFn: async ({ signal }) => {
    const found = await data(api.GET('/api/v1/audit/checkpoints', { params: { query: { limit: 1 } }, signal }));
    return found.items[0] ?? null;
  },
});

/** Earlier events of the same target, newest first: what its fields were before. */
export const auditBefore = ({ target, occurred_at }: AuditEvent) =>
  queryOptions({
    queryKey: ['audit', 'before', target, occurred_at],
    queryFn: async ({ signal }) => (await page({ target, to: occurred_at }, MOST_ROWS, '', signal)).items,
  });

/** Walks through everything that a filter finds, newest first. */
export async function* wholeAudit(filter: AuditFilter): AsyncGenerator<AuditEvent[]> {
  let cursor: string | null | undefined = '';
  while (typeof cursor === 'string') {
    const found: Awaited<ReturnType<typeof page>> = await page(filter, MOST_ROWS, cursor);
    yield found.items;
    cursor = found.next_cursor;
  }
}
