import { infiniteQueryOptions, keepPreviousData } from '@tanstack/react-query';
import { api, data, given, type Schemas } from './client.ts';

export type VirtualKey = Schemas['VirtualKeyView'];
export type NewKey = Schemas['NewKeyView'];

const PAGE_ROWS = 100;

export interface VirtualKeyFilter {
  project_id?: string | undefined;
  search?: string | undefined;
}

export const virtualKeys = (filter: VirtualKeyFilter) =>
  infiniteQueryOptions({
    queryKey: ['virtual-keys', filter],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => {
      const query = given({ ...filter, limit: PAGE_ROWS, cursor: pageParam });
      return data(api.GET('/api/v1/virtual-keys', { params: { query }, signal }));
    },
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  });

export const createKey = (body: Schemas['VirtualKeyInput']) => data(api.POST('/api/v1/virtual-keys', { body }));

/** Changes a key, unless it has been changed since it was read. */
export const changeKey = ({ id, version }: VirtualKey, body: Schemas['VirtualKeyChange']) => {
  const params = { path: { id }, header: { 'If-Match': `"${version}"` } };
  return data(api.PATCH('/api/v1/virtual-keys/{id}', { params, body }));
};

export const revokeKey = (id: string) =>
  data(api.POST('/api/v1/virtual-keys/{id}/revoke', { params: { path: { id } } }));
