import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { durationsToday, periods, spendByDay, troubled, type Durations, type Sums } from '../api/overview.ts';
import { useMay } from '../frame/me.ts';
import { Money } from '../parts/money.tsx';
import { Page } from '../parts/page.tsx';
import { Failure, Loading } from '../parts/states.tsx';
import { useNow } from '../parts/time.tsx';
import { INTEGRATION_STATUS } from '../words/labels.ts';
import { Attention } from './overview/attention.tsx';

/** What was spent, what is called, and what somebody has to look at. */
export function OverviewPage() {
  const may = useMay();
  return (
    <Page title={<Trans>Overview</Trans>} note={<Trans>Days and months are those of UTC.</Trans>}>
      {may('usage.read') && <Figures />}
      {may('integrations.read') && <Statuses />}
      <Attention />
    </Page>
  );
}

function Figures() {
  const found = useQuery(spendByDay);
  const now = new Date(useNow());
  if (found.data === undefined) {
    return found.error ? <Failure error={found.error} onRetry={() => void found.refetch()} /> : <Loading rows={2} />;
  }
  const { today, month, before } = periods(found.data, now);
  return (
    <dl className="grid gap-3 sm:grid-cols-3">
      <Figure label={<Trans>Today</Trans>} sums={today} took={durationsToday(found.data, now)} />
      <Figure label={<Trans>This month</Trans>} sums={month} />
      <Figure label={<Trans>Same days of the month before</Trans>} sums={before} />
    </dl>
  );
}

function Figure({ label, sums, took }: { label: ReactNode; sums: Sums; took?: Durations | undefined }) {
  const { i18n } = useLingui();
  const number = new Intl.NumberFormat(i18n.locale);
  const failed = number.format(sums.failed);
  const [half, most] = [number.format(took?.p50Ms ?? 0), number.format(took?.p99Ms ?? 0)];
  return (
    <div className="rounded-large border border-line bg-panel px-4 py-3">
      <dt className="text-soft">{label}</dt>
      <dd className="mt-1 text-title font-semibold">
        <Money nanoUsd={sums.costNanoUsd} />
      </dd>
      <dd className="text-small text-soft tabular-nums">
        <Plural value={sums.calls} one="# call" other="# calls" /> · <Trans>{failed} failed</Trans>
      </dd>
      {took && (
        <dd className="text-small text-soft tabular-nums">
          <Trans>
            Half ended within {half} ms, 99 % within {most} ms
          </Trans>
        </dd>
      )}
      {sums.unpriced > 0 && (
        <dd className="text-small text-warn">
          <Plural
            value={sums.unpriced}
            one="# call of unknown cost beside it"
            other="# calls of unknown cost beside it"
          />
        </dd>
      )}
    </div>
  );
}

function Statuses() {
  const { t, i18n } = useLingui();
  const counts = useQuery(troubled).data?.counts;
  if (!counts) return null;
  return (
    <section aria-label={t`Integrations`} className="flex flex-wrap gap-x-6 gap-y-2">
      {(['connected', 'verifying', 'error', 'disabled'] as const).map((status) => (
        <Link key={status} to="/integrations" search={{ status }} className="hover:underline">
          <span className="text-large font-semibold tabular-nums">{counts[status]}</span>{' '}
          <span className="text-soft">{i18n._(INTEGRATION_STATUS[status])}</span>
        </Link>
      ))}
    </section>
  );
}
