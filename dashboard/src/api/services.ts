import { infiniteQueryOptions } from '@tanstack/react-query';
import { api, data, given, type Schemas } from './client.ts';

export type Service = Schemas['ServiceView'];
export type NewService = Schemas['NewServiceView'];

const PAGE_ROWS = 100;

export const services = infiniteQueryOptions({
  queryKey: ['services'],
  initialPageParam: '',
  queryFn: ({ pageParam, signal }) => {
    const query = given({ limit: PAGE_ROWS, cursor: pageParam });
    return data(api.GET('/api/v1/services', { params: { query }, signal }));
  },
  getNextPageParam: (page) => page.next_cursor,
});

export const createService = (body: Schemas['ServiceInput']) => data(api.POST('/api/v1/services', { body }));

export const rotateService = (id: string, expires_at: string) =>
  data(api.POST('/api/v1/services/{id}/rotate', { params: { path: { id } }, body: { expires_at } }));

export const revokeService = (id: string) => api.DELETE('/api/v1/services/{id}', { params: { path: { id } } });
