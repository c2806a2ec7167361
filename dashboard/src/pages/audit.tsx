import { Trans } from '@lingui/react/macro';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useCallback } from 'react';
import { audit, type AuditFilter } from '../api/audit.ts';
import { useMay } from '../frame/me.ts';
import { Page } from '../parts/page.tsx';
import { Failure, Loading, NothingFits } from '../parts/states.tsx';
import { EventTable } from './audit/event-table.tsx';
import { ExportButton } from './audit/export-button.tsx';
import { Filters } from './audit/filters.tsx';
import type { AuditSearch } from './audit/search.ts';
import { SignedUntil } from './audit/signed-until.tsx';

const DAY_MS = 86_400_000;

// By its address: the routes import this page.
const route = getRouteApi('/frame/audit');

/** Who did what: the audit log, with what each event made different. */
export function AuditPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const may = useMay();
  const filter = filterOf(search);
  const found = useInfiniteQuery(audit(filter));
  const rows = found.data?.pages.flatMap((page) => page.items) ?? [];
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = found;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  return (
    <Page
      title={<Trans>Audit</Trans>}
      note={<Trans>Who did what, newest first. Never with a secret.</Trans>}
      actions={may('audit.export') && <ExportButton filter={filter} />}
    >
      <Filters
        search={search}
        actions={[...new Set(rows.map(({ action }) => action))].toSorted()}
        onChange={(next) => void navigate({ search: next })}
      />
      <SignedUntil />
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading />}
      {found.data !== undefined && rows.length === 0 && (
        <div className="rounded-large border border-line bg-panel">
          <NothingFits onShowAll={() => void navigate({ search: {} })} />
        </div>
      )}
      {rows.length > 0 && <EventTable rows={rows} hasTarget onEnd={hasNextPage ? onEnd : undefined} />}
    </Page>
  );
}

/** Turns days into times: the last day counts as a whole. */
function filterOf({ from, until, ...rest }: AuditSearch): AuditFilter {
  return {
    ...rest,
    ...(from !== undefined && { from: `${from}T00:00:00Z` }),
    ...(until !== undefined && { to: new Date(Date.parse(until) + DAY_MS).toISOString() }),
  };
}
