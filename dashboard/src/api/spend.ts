import { queryOptions } from '@tanstack/react-query';
import { api, data, type Schemas } from './client.ts';

export type Spend = Schemas['UsageView'];

/** First day of a month of UTC: of the present one, or of one so many before it. */
export function monthStart(now: Date, monthsBack = 0): string {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - monthsBack, 1)).toISOString().slice(0, 10);
}

/** What each virtual key has spent since the first of the month. */
export const spendByKey = queryOptions({
  queryKey: ['usage', 'spend-by-key'],
  staleTime: 30_000,
  queryFn: async ({ signal }): Promise<Map<string, Spend>> => {
    const query = { from: monthStart(new Date()), group_by: ['virtual_key' as const] };
    const { items } = await data(api.GET('/api/v1/usage', { params: { query }, signal }));
    return new Map(items.flatMap((row) => (row.virtual_key_id ? [[row.virtual_key_id, row]] : [])));
  },
});
