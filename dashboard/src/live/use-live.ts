import { useQueryClient, type QueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { chosenTenant } from '../api/tenant.ts';
import { useMe } from '../frame/me.ts';
import { DISTANCE_MS, STALE, type Kind, type Told } from './events.ts';
import { openStream } from './stream.ts';
import type { Join } from './worker.ts';

/** Asks anew for what has changed on the server, as far as it is on the page. */
export function useLive() {
  const queryClient = useQueryClient();
  const user = useMe().user?.id ?? '';
  const tenant = chosenTenant();
  useEffect(() => {
    const { note, stop } = invalidation(queryClient);
    const leave = join({ user, tenant }, ({ kind }) => note(kind));
    return () => {
      leave();
      stop();
    };
  }, [queryClient, user, tenant]);
}

/** Gathers what is told, so that each kind leads to one round of questions in its distance. */
export function invalidation(queryClient: Pick<QueryClient, 'invalidateQueries'>) {
  const due = new Map<Kind, ReturnType<typeof setTimeout>>();

  function invalidate(kind: Kind) {
    due.delete(kind);
    const names = STALE[kind];
    if (names === null) void queryClient.invalidateQueries();
    else for (const name of names) void queryClient.invalidateQueries({ queryKey: [name] });
  }

  return {
    note(kind: Kind) {
      if (due.has(kind) || STALE[kind]?.length === 0) return;
      due.set(
        kind,
        setTimeout(() => invalidate(kind), DISTANCE_MS[kind]),
      );
    },
    stop() {
      for (const timer of due.values()) clearTimeout(timer);
      due.clear();
    },
  };
}

function join(who: Join, tell: (told: Told) => void): () => void {
  // Some browsers of phones have none.
  if (typeof SharedWorker === 'undefined') return openStream(who.tenant, tell);
  const worker = new SharedWorker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'live' });
  const { port } = worker;
  port.addEventListener('message', ({ data }: MessageEvent<Told>) => tell(data));
  port.start();
  const enter = () => port.postMessage(who);
  const leave = () => port.postMessage(null);
  // A page that Back brings out of memory has missed what was told in the meantime.
  const onShow = (event: PageTransitionEvent) => {
    if (!event.persisted) return;
    enter();
    tell({ kind: 'reset', place: '' });
  };
  addEventListener('pagehide', leave);
  addEventListener('pageshow', onShow);
  enter();
  return () => {
    removeEventListener('pagehide', leave);
    removeEventListener('pageshow', onShow);
    leave();
    port.close();
  };
}
