import { Trans, useLingui } from '@lingui/react/macro';
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useCallback, useState } from 'react';
import { deadLetters, discard, replay, wholeDeadLetters, type DeadLetter } from '../../api/dead-letters.ts';
import { useMay } from '../../frame/me.ts';
import { Button } from '../../parts/button.tsx';
import { Empty, Failure, Loading } from '../../parts/states.tsx';
import { StatusBadge } from '../../parts/status.tsx';
import { Table, type Column } from '../../parts/table.tsx';
import { Time } from '../../parts/time.tsx';
import { gather, MAX_ROWS } from './bulk.ts';

const BulkDialog = lazy(() => import('./bulk-dialog.tsx'));
const LetterDialog = lazy(() => import('./letter-dialog.tsx'));

/** Messages that were given up, and what is done with them. */
export function DeadLetters() {
  const { t } = useLingui();
  const may = useMay();
  const queryClient = useQueryClient();
  const [open, setOpen] = useState<DeadLetter | null>(null);
  const [bulk, setBulk] = useState<'replay' | 'discard' | null>(null);
  const found = useInfiniteQuery(deadLetters);
  const rows = found.data?.pages.flatMap((page) => page.items) ?? [];
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = found;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);

  function close() {
    setBulk(null);
    setOpen(null);
    void queryClient.invalidateQueries({ queryKey: ['dead-letters'] });
    void queryClient.invalidateQueries({ queryKey: ['operations'] });
  }

  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap items-center justify-end gap-2">
        {may('dead_letters.update') && (
          <Button onClick={() => setBulk('replay')} disabled={rows.length === 0}>
            <Trans>Replay all…</Trans>
          </Button>
        )}
        {may('dead_letters.delete') && (
          <Button look="danger" onClick={() => setBulk('discard')} disabled={rows.length === 0}>
            <Trans>Discard all…</Trans>
          </Button>
        )}
      </div>
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading />}
      {found.data !== undefined && rows.length === 0 && (
        <div className="rounded-large border border-line bg-panel">
          <Empty title={t`No dead letters`}>
            <Trans>A message that no handler could process would wait here for a decision.</Trans>
          </Empty>
        </div>
      )}
      {rows.length > 0 && (
        <Table
          label={t`Dead letters`}
          columns={columnsOf(setOpen)}
          rows={rows}
          idOf={(row) => row.id}
          onEnd={hasNextPage ? onEnd : undefined}
        />
      )}
      <Suspense>
        {open !== null && <LetterDialog letter={open} onClose={close} />}
        {bulk !== null && (
          <BulkDialog
            title={bulk === 'replay' ? <Trans>Replay all?</Trans> : <Trans>Discard all?</Trans>}
            action={bulk === 'replay' ? <Trans>Replay all</Trans> : <Trans>Discard all</Trans>}
            find={() => gather(wholeDeadLetters(), bulk === 'replay' ? waits : () => true, MAX_ROWS)}
            run={bulk === 'replay' ? replay : discard}
            onClose={close}
          >
            {bulk === 'replay' ? (
              <Trans>Each one that was not replayed yet is handed to its lane again.</Trans>
            ) : (
              <Trans>They are deleted for good, and what they asked for is not done.</Trans>
            )}
          </BulkDialog>
        )}
      </Suspense>
    </div>
  );
}

/** One that was handed over already is on its way. */
function waits({ replayed_at }: DeadLetter): boolean {
  return typeof replayed_at !== 'string';
}

function columnsOf(onOpen: (letter: DeadLetter) => void): Column<DeadLetter>[] {
  return [
    {
      id: 'reason',
      head: <Trans>Reason</Trans>,
      cell: (row) => (
        <button type="button" className="font-mono text-small text-accent hover:underline" onClick={() => onOpen(row)}>
          {row.reason}
        </button>
      ),
    },
    { id: 'lane', head: <Trans>Lane</Trans>, cell: (row) => <span className="font-mono text-small">{row.lane}</span> },
    {
      id: 'error',
      head: <Trans>Error message</Trans>,
      isExtra: true,
      cell: (row) => (
        <span className="block max-w-96 truncate" title={row.error}>
          {row.error}
        </span>
      ),
    },
    { id: 'attempts', head: <Trans>Attempts</Trans>, isNumber: true, isExtra: true, cell: (row) => row.attempts },
    { id: 'filed', head: <Trans>Filed</Trans>, isExtra: true, cell: (row) => <Time at={row.created_at} /> },
    {
      id: 'state',
      head: <Trans>State</Trans>,
      cell: ({ replayed_at }) =>
        replayed_at ? (
          <StatusBadge tone="busy">
            <Trans>Replayed</Trans>
          </StatusBadge>
        ) : (
          <StatusBadge tone="warn">
            <Trans>Waits</Trans>
          </StatusBadge>
        ),
    },
  ];
}
