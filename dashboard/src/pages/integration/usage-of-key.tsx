import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { lazy, Suspense, useMemo, useState } from 'react';
import { usage, type Ledger, type Usage } from '../../api/usage.ts';
import { useMay } from '../../frame/me.ts';
import { Failure, Loading } from '../../parts/states.tsx';
import { LEDGER } from '../../words/labels.ts';
import { FetchNow } from '../usage/fetch-now.tsx';
import { daysOf, rangeOf, sum } from '../usage/figures.ts';
import { writeFigure } from '../usage/words.ts';

const Chart = lazy(() => import('../../parts/chart.tsx'));

const LEDGERS: Ledger[] = ['metered', 'reported'];

interface Props {
  integrationId: string;
  /** Reason why its provider reports nothing; null: it does, or was never asked. */
  notReportable: string | null | undefined;
}

/** Thirty days of one key: what Keyway has metered, and beside it what the provider reports. */
export function UsageOfKey({ integrationId, notReportable }: Props) {
  const { i18n, t } = useLingui();
  const may = useMay();
  const [openedMs] = useState(Date.now);
  const range = useMemo(() => rangeOf({}, openedMs), [openedMs]);
  const days = useMemo(() => daysOf(range), [range]);
  const found = useQuery(usage(range, { integration_id: integrationId }, ['day'], LEDGERS));
  const rows = useMemo(() => found.data ?? [], [found.data]);
  const of = (ledger: Ledger) => rows.filter((row) => row.ledger === ledger);
  const format = useMemo(() => {
    const number = new Intl.NumberFormat(i18n.locale, { notation: 'compact', maximumSignificantDigits: 3 });
    return (value: number) => number.format(value);
  }, [i18n.locale]);
  const series = LEDGERS.map((ledger, index) => ({
    id: ledger,
    name: i18n._(LEDGER[ledger]),
    colour: `series-${index + 1}`,
    values: tokensOf(of(ledger), days),
  }));
  const [metered, reported] = LEDGERS.map((ledger) => sum(of(ledger)));
  const meteredTokens = writeFigure(i18n, metered?.tokens ?? null, 'tokens');
  const reportedTokens = writeFigure(i18n, reported?.tokens ?? null, 'tokens');
  return (
    <div className="flex flex-col gap-3">
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading rows={3} />}
      {found.data !== undefined && (
        <dl className="grid gap-px overflow-hidden rounded-large border border-line bg-line sm:grid-cols-2">
          {LEDGERS.map((ledger, index) => (
            <Figures key={ledger} ledger={ledger} rows={of(ledger)} colour={`series-${index + 1}`} />
          ))}
        </dl>
      )}
      {rows.length > 0 && (
        <figure className="rounded-large border border-line bg-panel p-4">
          <Suspense fallback={<div className="h-64" />}>
            <Chart
              label={t`Tokens of the last 30 days: ${meteredTokens} metered, ${reportedTokens} reported`}
              days={days}
              series={series}
              isStacked={false}
              write={format}
            />
          </Suspense>
        </figure>
      )}
      {notReportable && <p className="text-soft">{notReportable}</p>}
      <p className="flex flex-wrap items-center gap-3">
        <Link to="/usage" search={{ integration_id: integrationId }} className="text-accent underline">
          <Trans>All usage of this key</Trans>
        </Link>
        <Link to="/requests" search={{ integration_id: integrationId }} className="text-accent underline">
          <Trans>Its calls</Trans>
        </Link>
        {may('usage.update') && !notReportable && <FetchNow integrationId={integrationId} />}
      </p>
    </div>
  );
}

function tokensOf(rows: Usage[], days: string[]): (number | null)[] {
  const ofDays = Map.groupBy(rows, (row) => row.day ?? '');
  return days.map((day) => {
    const { tokens } = sum(ofDays.get(day) ?? []);
    return tokens === null ? null : Number(tokens);
  });
}

function Figures({ ledger, rows, colour }: { ledger: Ledger; rows: Usage[]; colour: string }) {
  const { i18n } = useLingui();
  const { requests, tokens, costNanoUsd } = sum(rows);
  const isNothing = rows.length === 0;
  const calls = rows.some((row) => typeof row.requests === 'number') ? BigInt(requests) : null;
  return (
    <div className="bg-panel px-4 py-3">
      <dt className="flex items-center gap-2 text-small text-soft">
        <span aria-hidden className="size-2.5 rounded-small" style={{ background: `var(--${colour})` }} />
        {i18n._(LEDGER[ledger])}
      </dt>
      <dd className="tabular-nums">
        {isNothing ? (
          <span className="text-soft">
            {ledger === 'metered' ? <Trans>no calls in 30 days</Trans> : <Trans>nothing is reported</Trans>}
          </span>
        ) : (
          <Trans>
            <span className="block text-title font-semibold tracking-tight">
              {writeFigure(i18n, tokens, 'tokens')} tokens
            </span>
            <span className="text-small text-soft">
              {writeFigure(i18n, calls, 'tokens')} calls, {writeFigure(i18n, costNanoUsd, 'money')}
            </span>
          </Trans>
        )}
      </dd>
    </div>
  );
}
