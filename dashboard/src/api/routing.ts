import { queryOptions } from '@tanstack/react-query';
import { api, data, given, type Schemas } from './client.ts';

export type Candidate = Schemas['CandidateView'];
export type Routing = Schemas['RoutingView'];

export interface Wanted {
  project_id?: string | undefined;
  provider?: string | undefined;
  model?: string | undefined;
}

/** Who would serve a call now, and why not the others. No provider is called for it. */
export const routing = (wanted: Wanted) =>
  queryOptions({
    queryKey: ['routing', wanted],
    // Cool-downs last for seconds.
    staleTime: 0,
    queryFn: ({ signal }) => data(api.GET('/api/v1/routing', { params: { query: given(wanted) }, signal })),
  });
