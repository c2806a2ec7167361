import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { Plus } from 'lucide-react';
import { lazy, Suspense, useCallback, useState } from 'react';
import { integrations } from '../api/integrations.ts';
import { useMay } from '../frame/me.ts';
import { Button } from '../parts/button.tsx';
import { Page } from '../parts/page.tsx';
import { Empty, Failure, Loading, NothingFits } from '../parts/states.tsx';
import { Filters } from './integrations/filters.tsx';
import { IntegrationTable } from './integrations/integration-table.tsx';

// Not needed to show the list.
const AddDialog = lazy(() => import('./integrations/add-dialog.tsx'));

// By its address: the routes import this page.
const route = getRouteApi('/frame/integrations');

/** Provider keys: their status, their last verdict, and everything that is done with one. */
export function IntegrationsPage() {
  const { t } = useLingui();
  const filter = route.useSearch();
  const navigate = route.useNavigate();
  const may = useMay();
  const [isAdding, setAdding] = useState(false);
  const found = useInfiniteQuery(integrations(filter));
  const rows = found.data?.pages.flatMap((page) => page.items) ?? [];
  const counts = found.data?.pages[0]?.counts;
  const isFiltered = Object.keys(filter).length > 0;
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = found;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const total = counts && counts.verifying + counts.connected + counts.error + counts.disabled;
  const add = may('integrations.create') && (
    <Button look="primary" onClick={() => setAdding(true)}>
      <Plus size={15} aria-hidden />
      <Trans>New integration</Trans>
    </Button>
  );

  return (
    <Page
      title={<Trans>Integrations</Trans>}
      note={
        typeof total === 'number' && (
          <Plural value={total} one="# provider key, sealed" other="# provider keys, sealed" />
        )
      }
      actions={add}
    >
      <Filters filter={filter} counts={counts} onChange={(search) => void navigate({ search })} />
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading />}
      {found.data !== undefined && rows.length === 0 && (
        <div className="rounded-large border border-line bg-panel">
          {isFiltered ? (
            <NothingFits onShowAll={() => void navigate({ search: {} })} />
          ) : (
            <Empty title={t`No provider key yet`}>
              <p>
                <Trans>
                  Add one: it is sealed before it is stored, verified with the provider, and nobody can read it here
                  afterwards.
                </Trans>
              </p>
              {add}
            </Empty>
          )}
        </div>
      )}
      {rows.length > 0 && <IntegrationTable rows={rows} onEnd={hasNextPage ? onEnd : undefined} />}
      {isAdding && (
        <Suspense>
          <AddDialog onClose={() => setAdding(false)} />
        </Suspense>
      )}
    </Page>
  );
}
