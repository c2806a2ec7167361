/** Names of what rows refer to by an id alone. */
import { queryOptions, useQueries, useQuery } from '@tanstack/react-query';
import { api, data } from './client.ts';
import { projects } from './integrations.ts';

export type Named = 'integration' | 'virtual_key' | 'project';

const FRESH_MS = 60_000;
const LIST_ROWS = 200;
/** Names that are asked for one by one, where a list is too long to have them all. */
const MAX_SINGLE = 24;

const integrationNames = queryOptions({
  queryKey: ['names', 'integration'],
  staleTime: FRESH_MS,
  queryFn: async ({ signal }) =>
    (await data(api.GET('/api/v1/integrations', { params: { query: { limit: LIST_ROWS } }, signal }))).items,
});

const virtualKeyNames = queryOptions({
  queryKey: ['names', 'virtual_key'],
  staleTime: FRESH_MS,
  queryFn: async ({ signal }) =>
    (await data(api.GET('/api/v1/virtual-keys', { params: { query: { limit: LIST_ROWS } }, signal }))).items,
});

/** Returns the first names of a kind, for a choice among them. */
export function useChoices(kind: Named): { id: string; name: string }[] {
  const integrations = useQuery({ ...integrationNames, enabled: kind === 'integration' });
  const keys = useQuery({ ...virtualKeyNames, enabled: kind === 'virtual_key' });
  const own = useQuery({ ...projects, enabled: kind === 'project' });
  const found = { integration: integrations, virtual_key: keys, project: own }[kind].data ?? [];
  return found.map(({ id, name }) => ({ id, name }));
}

const one = (kind: Named, id: string) =>
  queryOptions({
    queryKey: ['names', kind, id],
    staleTime: FRESH_MS,
    queryFn: async ({ signal }) => {
      const params = { path: { id } };
      if (kind === 'integration') return (await data(api.GET('/api/v1/integrations/{id}', { params, signal }))).name;
      if (kind === 'project') return (await data(api.GET('/api/v1/projects/{id}', { params, signal }))).name;
      return (await data(api.GET('/api/v1/virtual-keys/{id}', { params, signal }))).name;
    },
  });

/** Returns a function that names what has an id; what is gone, or not to be seen, has its id for a name. */
export function useNames(kind: Named, ids: (string | null | undefined)[]): (id: string) => string {
  const choices = useChoices(kind);
  const known = new Map(choices.map(({ id, name }) => [id, name]));
  const isWhole = choices.length < LIST_ROWS;
  const missing = isWhole
    ? []
    : [...new Set(ids)].filter((id) => typeof id === 'string' && id !== '' && !known.has(id));
  const asked = missing.slice(0, MAX_SINGLE) as string[];
  const found = useQueries({ queries: asked.map((id) => one(kind, id)) });
  for (const [index, id] of asked.entries()) {
    const name = found[index]?.data;
    if (name !== undefined) known.set(id, name);
  }
  return (id) => known.get(id) ?? id;
}
