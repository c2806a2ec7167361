import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useNames } from '../../api/names.ts';
import { drift, type Drift, type Range } from '../../api/usage.ts';
import { Button } from '../../parts/button.tsx';
import { Failure, Loading } from '../../parts/states.tsx';
import { StatusBadge } from '../../parts/status.tsx';
import { Table, type Column } from '../../parts/table.tsx';
import { writeDay } from './words.ts';

/** What providers report for keys beside what went through Keyway: the difference was used outside. */
export function DriftSection({ range, integrationId }: { range: Range; integrationId: string | undefined }) {
  const { t, i18n } = useLingui();
  const found = useInfiniteQuery(drift(range, integrationId));
  const rows = found.data?.pages.flatMap((page) => page.items) ?? [];
  const nameOf = useNames(
    'integration',
    rows.map(({ integration_id }) => integration_id),
  );
  const number = new Intl.NumberFormat(i18n.locale);
  const reported = (value: number | null | undefined) =>
    typeof value === 'number' ? number.format(value) : <span className="text-soft">{t`not reported`}</span>;
  const outside = rows.filter(({ used_outside }) => used_outside).length;
  const columns: Column<Drift>[] = [
    { id: 'day', head: <Trans>Day</Trans>, cell: ({ day }) => writeDay(day, i18n.locale) },
    {
      id: 'integration',
      head: <Trans>Integration</Trans>,
      cell: ({ integration_id: id }) => (
        <span className="block max-w-56 truncate max-md:max-w-24" title={id}>
          {nameOf(id)}
        </span>
      ),
    },
    {
      id: 'metered-calls',
      head: <Trans>Calls metered</Trans>,
      isNumber: true,
      isExtra: true,
      cell: (row) => number.format(row.metered_requests),
    },
    {
      id: 'reported-calls',
      head: <Trans>Calls reported</Trans>,
      isNumber: true,
      isExtra: true,
      cell: (row) => reported(row.reported_requests),
    },
    {
      id: 'metered-tokens',
      head: <Trans>Tokens metered</Trans>,
      isNumber: true,
      isExtra: true,
      cell: (row) => number.format(row.metered_tokens),
    },
    {
      id: 'reported-tokens',
      head: <Trans>Tokens reported</Trans>,
      isNumber: true,
      isExtra: true,
      cell: (row) => reported(row.reported_tokens),
    },
    {
      id: 'verdict',
      head: <Trans>Verdict</Trans>,
      cell: (row) =>
        row.used_outside ? (
          <StatusBadge tone="bad">
            <Trans>Used outside</Trans>
          </StatusBadge>
        ) : (
          <StatusBadge tone="ok">
            <Trans>Agrees</Trans>
          </StatusBadge>
        ),
    },
  ];
  return (
    <section aria-labelledby="drift" className="flex flex-col gap-2">
      <h2 id="drift" className="text-large font-semibold">
        <Trans>Reported against metered</Trans>
      </h2>
      <p className="text-soft">
        {outside > 0 ? (
          <Plural
            value={outside}
            one="# time in the days shown a key was used past Keyway."
            other="# times in the days shown a key was used past Keyway."
          />
        ) : (
          <Trans>Compares what providers report for single keys with what went through Keyway.</Trans>
        )}
      </p>
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading rows={2} />}
      {found.data !== undefined && rows.length === 0 && (
        <p className="rounded-large border border-line bg-panel px-4 py-6 text-center text-soft">
          <Trans>
            Nothing to compare: no organisation's report names one of these keys. Add an admin key of the organisation
            as an{' '}
            <Link to="/integrations" className="text-accent underline">
              integration
            </Link>
            .
          </Trans>
        </p>
      )}
      {rows.length > 0 && (
        <Table
          label={t`Reported against metered`}
          columns={columns}
          rows={rows}
          idOf={(row) => `${row.day} ${row.integration_id}`}
        />
      )}
      {found.hasNextPage && (
        <Button className="self-center" isBusy={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
          <Trans>Further lines</Trans>
        </Button>
      )}
    </section>
  );
}
