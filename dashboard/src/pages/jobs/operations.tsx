import { Trans, useLingui } from '@lingui/react/macro';
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useCallback, useState } from 'react';
import { given } from '../../api/client.ts';
import { hasEnded } from '../../api/integrations.ts';
import { cancel, operations, retry, wholeOperations } from '../../api/operations.ts';
import { useMay } from '../../frame/me.ts';
import { Button } from '../../parts/button.tsx';
import { Select } from '../../parts/field.tsx';
import { Failure, Loading, NothingFits } from '../../parts/states.tsx';
import { OPERATION_KIND } from '../../words/labels.ts';
import { gather, MAX_ROWS } from './bulk.ts';
import { mayBeRetried } from './operation-menu.tsx';
import { OperationTable } from './operation-table.tsx';
import { KINDS, type JobSearch } from './search.ts';
import { StateFilter } from './state-machine.tsx';

const BulkDialog = lazy(() => import('./bulk-dialog.tsx'));

interface Props {
  search: JobSearch;
  onChange: (search: JobSearch) => void;
}

/** Operations that the filter finds, and acts on all of them. */
export function Operations({ search, onChange }: Props) {
  const { t, i18n } = useLingui();
  const may = useMay();
  const queryClient = useQueryClient();
  const [bulk, setBulk] = useState<'retry' | 'cancel' | null>(null);
  const { show: _, ...filter } = search;
  const found = useInfiniteQuery(operations(filter));
  const rows = found.data?.pages.flatMap((page) => page.items) ?? [];
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = found;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const set = (change: { [K in keyof JobSearch]: JobSearch[K] | '' | undefined }) =>
    onChange(given({ ...search, ...change }) as JobSearch);

  function close() {
    setBulk(null);
    void queryClient.invalidateQueries({ queryKey: ['operations'] });
  }

  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap items-center gap-2">
        <StateFilter state={search.state} onChoose={(state) => set({ state })} />
        <Select
          aria-label={t`Kind`}
          value={search.kind ?? ''}
          onChange={(event) => set({ kind: event.target.value as JobSearch['kind'] })}
        >
          <option value="">{t`All kinds`}</option>
          {KINDS.map((kind) => (
            <option key={kind} value={kind}>
              {i18n._(OPERATION_KIND[kind])}
            </option>
          ))}
        </Select>
        <span className="grow" />
        {may('operations.update') && (
          <>
            <Button onClick={() => setBulk('retry')}>
              <Trans>Retry all…</Trans>
            </Button>
            <Button onClick={() => setBulk('cancel')}>
              <Trans>Call all off…</Trans>
            </Button>
          </>
        )}
      </div>
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading />}
      {found.data !== undefined && rows.length === 0 && (
        <div className="rounded-large border border-line bg-panel">
          <NothingFits onShowAll={() => onChange({})} />
        </div>
      )}
      {rows.length > 0 && <OperationTable label={t`Operations`} rows={rows} onEnd={hasNextPage ? onEnd : undefined} />}
      {bulk !== null && (
        <Suspense>
          <BulkDialog
            title={bulk === 'retry' ? <Trans>Retry all?</Trans> : <Trans>Call all off?</Trans>}
            action={bulk === 'retry' ? <Trans>Retry all</Trans> : <Trans>Call all off</Trans>}
            find={() =>
              gather(wholeOperations(filter), bulk === 'retry' ? mayBeRetried : (row) => !hasEnded(row), MAX_ROWS)
            }
            run={bulk === 'retry' ? retry : cancel}
            onClose={close}
          >
            {bulk === 'retry' ? (
              <Trans>Every operation of the filter that failed or was called off is tried once more.</Trans>
            ) : (
              <Trans>Every operation of the filter that has not ended is called off, with its children.</Trans>
            )}
          </BulkDialog>
        </Suspense>
      )}
    </div>
  );
}
