import { Trans, useLingui } from '@lingui/react/macro';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { ArrowLeft } from 'lucide-react';
import type { ReactNode } from 'react';
import { audit } from '../api/audit.ts';
import { integration, providers } from '../api/integrations.ts';
import { useMay } from '../frame/me.ts';
import { Page } from '../parts/page.tsx';
import { Failure, Loading } from '../parts/states.tsx';
import { EventTable } from './audit/event-table.tsx';
import { Settings } from './integration/settings.tsx';
import { Timeline } from './integration/timeline.tsx';
import { UsageOfKey } from './integration/usage-of-key.tsx';
import { IntegrationStatusBadge } from './integrations/integration-status.tsx';
import { RowMenu } from './integrations/row-menu.tsx';
import { Candidates } from './routing/candidates.tsx';

const SHOWN_EVENTS = 10;
/** Distance between two looks while a verdict is awaited. */
const LOOK_MS = 500;

// By its address: the routes import this page.
const route = getRouteApi('/frame/integrations/$id');

/** One provider key: its verdicts, what it is used for, who would serve, and what was done with it. */
export function IntegrationPage() {
  const { t } = useLingui();
  const may = useMay();
  const { id } = route.useParams();
  const found = useQuery({
    ...integration(id),
    refetchInterval: ({ state }) => (state.data?.status === 'verifying' ? LOOK_MS : false),
  });
  const known = useQuery(providers).data;
  const events = useInfiniteQuery({ ...audit({ target: id }), enabled: may('audit.read') });
  const row = found.data;
  const shown = events.data?.pages[0]?.items.slice(0, SHOWN_EVENTS) ?? [];
  const provider = known?.find(({ name }) => name === row?.provider)?.display_name ?? row?.provider;
  return (
    <Page
      title={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
          {row?.name ?? t`Integration`}
          {row !== undefined && <IntegrationStatusBadge status={row.status} />}
        </span>
      }
      note={
        <span className="flex flex-wrap gap-x-3">
          <Link to="/integrations" className="inline-flex items-center gap-1 hover:underline">
            <ArrowLeft size={13} aria-hidden />
            <Trans>Integrations</Trans>
          </Link>
          {provider}
        </span>
      }
      actions={row !== undefined && <RowMenu row={row} />}
    >
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading />}
      {row !== undefined && (
        <div className="grid items-start gap-6 lg:grid-cols-2">
          <Section id="verdicts" title={<Trans>Verdicts</Trans>}>
            <Timeline row={row} />
          </Section>
          <Section id="settings" title={<Trans>Settings</Trans>}>
            <Settings row={row} />
          </Section>
          {may('usage.read') && (
            <Section id="usage" title={<Trans>Usage of the last 30 days</Trans>}>
              <UsageOfKey integrationId={id} notReportable={row.usage_not_reportable} />
            </Section>
          )}
          {may('routing.read') && (
            <Section id="routing" title={<Trans>Which key would serve</Trans>}>
              <p className="text-soft">
                <Trans>A call for this provider in this project would be tried in this order.</Trans>
              </p>
              <Candidates wanted={{ project_id: row.project_id, provider: row.provider }} integrationId={id} />
            </Section>
          )}
          {may('audit.read') && (
            <div className="lg:col-span-2">
              <Section id="audit" title={<Trans>Audit of this key</Trans>}>
                <Failure error={events.error} onRetry={() => void events.refetch()} />
                {events.isPending ? <Loading rows={3} /> : <EventTable rows={shown} hasTarget={false} />}
                <Link to="/audit" search={{ target: id }} className="w-fit text-accent underline">
                  <Trans>All events of this key</Trans>
                </Link>
              </Section>
            </div>
          )}
        </div>
      )}
    </Page>
  );
}

function Section({ id, title, children }: { id: string; title: ReactNode; children: ReactNode }) {
  return (
    <section aria-labelledby={id} className="flex min-w-0 flex-col gap-3">
      <h2 id={id} className="text-large font-semibold">
        {title}
      </h2>
      {children}
    </section>
  );
}
