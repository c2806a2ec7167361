import { Trans, useLingui } from '@lingui/react/macro';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useCallback, useState } from 'react';
import { calls } from '../api/requests.ts';
import { Button } from '../parts/button.tsx';
import { Page } from '../parts/page.tsx';
import { Empty, Failure, Loading, NothingFits } from '../parts/states.tsx';
import { CallTable } from './requests/call-table.tsx';
import { Filters } from './requests/filters.tsx';
import { LiveSwitch } from './requests/live-switch.tsx';
import { useLive } from './requests/live.ts';
import { SINCE } from './requests/search.ts';

// By its address: the routes import this page.
const route = getRouteApi('/frame/requests');

/** Log of the calls through the proxy. It follows what happens, and stands still while one reads. */
export function RequestsPage() {
  const { t } = useLingui();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [hasOlder, setOlder] = useState(false);
  const live = useLive(hasOlder);
  const { since, ...filter } = search;
  const found = useInfiniteQuery(calls(filter, since === undefined ? undefined : SINCE[since], live.everyMs));
  const rows = found.data?.pages.flatMap((page) => page.items) ?? [];
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = found;
  const more = useCallback(() => {
    if (!hasNextPage || isFetchingNextPage) return;
    setOlder(true);
    void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const isFiltered = Object.keys(search).length > 0;

  function change(next: typeof search) {
    setOlder(false);
    void navigate({ search: next });
  }

  return (
    <Page
      title={<Trans>Requests</Trans>}
      note={<Trans>Calls through Keyway, without their bodies. One appears some seconds after it has ended.</Trans>}
      actions={<LiveSwitch live={live} />}
    >
      <Filters search={search} onChange={change} />
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading />}
      {found.data !== undefined && rows.length === 0 && (
        <div className="rounded-large border border-line bg-panel">
          {isFiltered ? (
            <NothingFits onShowAll={() => change({})} />
          ) : (
            <Empty title={t`No calls yet`}>
              <Trans>Point an SDK at Keyway with a virtual key: its calls are listed here.</Trans>
            </Empty>
          )}
        </div>
      )}
      {rows.length > 0 && (
        <div {...live.handlers}>
          <CallTable rows={rows} onEnd={hasOlder ? more : undefined} />
        </div>
      )}
      {hasNextPage && (
        <Button className="self-center" isBusy={isFetchingNextPage} onClick={more}>
          <Trans>Older calls</Trans>
        </Button>
      )}
    </Page>
  );
}
