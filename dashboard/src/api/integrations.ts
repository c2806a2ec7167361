import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, data, given, type Schemas } from './client.ts';

export type Integration = Schemas['IntegrationView'];
export type IntegrationStatus = Schemas['IntegrationStatus'];
export type Operation = Schemas['OperationView'];
export type Provider = Schemas['ProviderView'];

const PAGE_ROWS = 100;
/** Distance between two looks at work that is under way: changes are told live, this is for those that were not. */
const LOOK_MS = 5_000;

export interface IntegrationFilter {
  status?: IntegrationStatus | undefined;
  provider?: string | undefined;
  project_id?: string | undefined;
  search?: string | undefined;
}

export const integrations = (filter: IntegrationFilter) =>
  infiniteQueryOptions({
    queryKey: ['integrations', filter],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => {
      const query = given({ ...filter, limit: PAGE_ROWS, cursor: pageParam, counts: true });
      return data(api.GET('/api/v1/integrations', { params: { query }, signal }));
    },
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
    // Nobody waits for a verdict that is not due.
    refetchInterval: ({ state }) =>
      state.data?.pages.some((page) => page.items.some((row) => row.status === 'verifying')) ? LOOK_MS : false,
  });

export const operation = (id: string) =>
  queryOptions({
    queryKey: ['operations', id],
    queryFn: ({ signal }) => data(api.GET('/api/v1/operations/{id}', { params: { path: { id } }, signal })),
    refetchInterval: ({ state }) => (state.data !== undefined && hasEnded(state.data) ? false : LOOK_MS),
  });

export const integration = (id: string) =>
  queryOptions({
    queryKey: ['integrations', 'one', id],
    queryFn: ({ signal }) => data(api.GET('/api/v1/integrations/{id}', { params: { path: { id } }, signal })),
  });

export const providers = queryOptions({
  queryKey: ['providers'],
  staleTime: 300_000,
  queryFn: async ({ signal }) => (await data(api.GET('/api/v1/providers', { signal }))).items,
});

export const projects = queryOptions({
  queryKey: ['projects'],
  staleTime: 60_000,
  queryFn: async ({ signal }) => {
    const query = { limit: 200, sort: 'name' };
    return (await data(api.GET('/api/v1/projects', { params: { query }, signal }))).items;
  },
});

export function hasEnded({ state }: Operation): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled';
}

export const submit = (body: Schemas['IntegrationInput']) => data(api.POST('/api/v1/integrations', { body }));

export const test = (id: string) => data(api.POST('/api/v1/integrations/{id}/test', { params: { path: { id } } }));

export const change = (id: string, body: Schemas['IntegrationChange']) =>
  data(api.PATCH('/api/v1/integrations/{id}', { params: { path: { id } }, body }));

export const replace = (id: string, body: Schemas['CredentialsInput']) =>
  data(api.PUT('/api/v1/integrations/{id}/credentials', { params: { path: { id } }, body }));

export const remove = (id: string) => api.DELETE('/api/v1/integrations/{id}', { params: { path: { id } } });
