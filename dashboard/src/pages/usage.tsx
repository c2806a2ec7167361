import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { Download } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useNames } from '../api/names.ts';
import { providers } from '../api/integrations.ts';
import { usage, type GroupBy } from '../api/usage.ts';
import { useMay } from '../frame/me.ts';
import { Button } from '../parts/button.tsx';
import { saveFile, writeCsv } from '../parts/csv.ts';
import { Page } from '../parts/page.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { DriftSection } from './usage/drift.tsx';
import { FetchNow } from './usage/fetch-now.tsx';
import { before, daysOf, grouped, keyOf, rangeOf, sum } from './usage/figures.ts';
import { Filters } from './usage/filters.tsx';
import { GroupTable } from './usage/group-table.tsx';
import type { Group } from './usage/search.ts';
import { Totals } from './usage/totals.tsx';
import { UsageChart } from './usage/usage-chart.tsx';
import { writeGroup } from './usage/words.ts';

// By its address: the routes import this page.
const route = getRouteApi('/frame/usage');

/** What was used and what it cost, as metered by Keyway, beside the days before and beside what providers report. */
export function UsagePage() {
  const { t, i18n } = useLingui();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const may = useMay();
  const { group = 'model', unit = 'money', provider, project_id, integration_id, virtual_key_id } = search;
  const [openedMs] = useState(Date.now);
  const range = rangeOf(search, openedMs);
  const filter = { provider, project_id, integration_id, virtual_key_id };
  const columns: GroupBy[] = group === 'day' ? ['day', 'credential'] : [group, 'day', 'credential'];
  const found = useQuery(usage(range, filter, columns));
  const previous = useQuery(usage(before(range), filter, group === 'day' ? [] : [group]));
  const rows = useMemo(() => found.data ?? [], [found.data]);
  const groups = useMemo(() => grouped(rows, group, unit), [rows, group, unit]);
  const days = useMemo(() => daysOf({ from: range.from, to: range.to }), [range.from, range.to]);
  const nameOf = useGroupNames(
    group,
    groups.map(({ key }) => key),
  );
  const ofBefore = Map.groupBy(previous.data ?? [], (row) => keyOf(row, group));
  const isEmpty = found.data !== undefined && rows.length === 0;

  function save() {
    const head = ['day', group === 'day' ? 'calls' : group, 'requests', 'failed_requests', 'refused_requests'];
    const rest = ['tokens', 'unknown_token_requests', 'cost_nano_usd', 'unpriced_requests'];
    const lines = days.flatMap((day) => {
      const ofDay = Map.groupBy(
        rows.filter((row) => row.day === day),
        (row) => keyOf(row, group),
      );
      return [...ofDay].map(([key, own]) => {
        const { requests, failed, refused, tokens, unknownTokens, costNanoUsd, unpriced } = sum(own);
        const name = writeGroup(i18n, group, key, nameOf);
        return [day, name, requests, failed, refused, tokens, unknownTokens, costNanoUsd, unpriced];
      });
    });
    saveFile(
      `usage-${range.from}-${days.at(-1)}.csv`,
      'text/csv;charset=utf-8',
      writeCsv([[...head, ...rest], ...lines]),
    );
  }

  return (
    <Page
      title={<Trans>Usage and cost</Trans>}
      note={<Trans>Metered by Keyway, in days of UTC</Trans>}
      actions={
        <>
          {may('usage.update') && <FetchNow />}
          <Button onClick={save} disabled={rows.length === 0}>
            <Download size={14} aria-hidden />
            CSV
          </Button>
        </>
      }
    >
      <Filters search={search} range={range} onChange={(next) => void navigate({ search: next })} />
      <Failure error={found.error ?? previous.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading />}
      {isEmpty && (
        <div className="rounded-large border border-line bg-panel">
          <Empty title={t`No calls in these days`}>
            <Trans>Calls appear here some seconds after they went through Keyway.</Trans>
          </Empty>
        </div>
      )}
      {rows.length > 0 && (
        <>
          <Totals rows={rows} previous={previous.data} />
          <UsageChart rows={rows} groups={groups} days={days} group={group} unit={unit} nameOf={nameOf} />
          {group !== 'day' && (
            <GroupTable
              groups={groups}
              previous={new Map([...ofBefore].map(([key, own]) => [key, sum(own)]))}
              group={group}
              unit={unit}
              nameOf={nameOf}
            />
          )}
        </>
      )}
      <DriftSection range={range} integrationId={integration_id} />
    </Page>
  );
}

/** Returns a function that names the groups of a report. */
function useGroupNames(group: Group, keys: string[]): (id: string) => string {
  const isNamed = group === 'integration' || group === 'virtual_key' || group === 'project';
  const named = useNames(isNamed ? group : 'project', isNamed ? keys : []);
  const known = useQuery({ ...providers, enabled: group === 'provider' });
  const displayed = new Map(known.data?.map(({ name, display_name }) => [name, display_name]));
  return (id) => (isNamed ? named(id) : group === 'provider' ? (displayed.get(id) ?? id) : id);
}
