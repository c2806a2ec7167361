import { infiniteQueryOptions, keepPreviousData } from '@tanstack/react-query';
import { api, data, given, type Schemas } from './client.ts';

export type Project = Schemas['ProjectView'];

const PAGE_ROWS = 100;

export interface ProjectFilter {
  search?: string | undefined;
}

export const projectPages = (filter: ProjectFilter) =>
  infiniteQueryOptions({
    queryKey: ['projects', 'pages', filter],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => {
      const query = given({ ...filter, sort: 'name', limit: PAGE_ROWS, cursor: pageParam });
      return data(api.GET('/api/v1/projects', { params: { query }, signal }));
    },
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  });

export const createProject = (body: Schemas['ProjectInput']) => data(api.POST('/api/v1/projects', { body }));

/** Changes a project, unless it has been changed since it was read. */
export const changeProject = ({ id, version }: Project, body: Schemas['ProjectChange']) => {
  const params = { path: { id }, header: { 'If-Match': `"${version}"` } };
  return data(api.PATCH('/api/v1/projects/{id}', { params, body }));
};

export const deleteProject = (id: string) => api.DELETE('/api/v1/projects/{id}', { params: { path: { id } } });
