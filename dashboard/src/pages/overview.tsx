import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { periods, spendByDay, troubled, type Sums } from '../api/overview.ts';
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
      <Figure label={<Trans>Today</Trans>} sums={today} />
      <Figure label={<Trans>This month</Trans>} sums={month} />
      <Figure label={<Trans>Same days of the month before</Trans>} sums={before} />
    </dl>
  );
}

function Figure({ label, sums }: { label: ReactNode; sums: Sums }) {
  const { i18n } = useLingui();
  const failed = new Intl.NumberFormat(i18n.locale).format(sums.failed);
  return (
    <div className="rounded-large border border-line bg-panel px-4 py-3">
      <dt className="text-soft">{label}</dt>
      <dd className="mt-1 text-title font-semibold">
        <Money nanoUsd={sums.costNanoUsd} />
      </dd>
      <dd className="text-small text-soft tabular-nums">
        <Plural value={sums.calls} one="# call" other="# calls" /> · <Trans>{failed} failed</Trans>
      </dd>
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
