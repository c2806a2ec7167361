import { Trans, useLingui } from '@lingui/react/macro';
import { lazy, Suspense, useMemo } from 'react';
import type { Usage } from '../../api/usage.ts';
import { Table } from '../../parts/table.tsx';
import { byDay, OTHERS, sum, valueOf, type Grouped } from './figures.ts';
import type { Group, Unit } from './search.ts';
import { writeDay, writeFigure, writeGroup } from './words.ts';

const Chart = lazy(() => import('../../parts/chart.tsx'));

interface Props {
  rows: Usage[];
  groups: Grouped[];
  days: string[];
  group: Group;
  unit: Unit;
  nameOf: (id: string) => string;
}

/** Name of a series' colour in tokens.css. */
export function colourOf(index: number, key: string): string {
  return key === OTHERS ? 'series-others' : `series-${index + 1}`;
}

/** Bars of each day, with a sentence and a table that say the same. */
export function UsageChart({ rows, groups, days, group, unit, nameOf }: Props) {
  const { i18n, t } = useLingui();
  const { locale } = i18n;
  const write = useMemo(() => {
    const style = unit === 'money' ? ({ style: 'currency', currency: 'USD' } as const) : {};
    const format = new Intl.NumberFormat(locale, { notation: 'compact', maximumSignificantDigits: 3, ...style });
    return (value: number) => format.format(value);
  }, [locale, unit]);
  const parts = useMemo(() => byDay(rows, groups, days, group, unit), [rows, groups, days, group, unit]);
  const scale = unit === 'money' ? 1e9 : 1;
  const series = parts.map(({ key, values }, index) => ({
    id: key,
    name: writeGroup(i18n, group, key, nameOf),
    colour: colourOf(index, key),
    values: values.map((value) => (value === null ? null : Number(value) / scale)),
  }));
  const ofDays = Map.groupBy(rows, (row) => row.day ?? '');
  const totals = days.map((day) => ({ day, total: sum(ofDays.get(day) ?? []) }));
  const all = writeFigure(i18n, valueOf(sum(rows), unit), unit);
  const highest = totals.toSorted((a, b) =>
    Number((valueOf(b.total, unit) ?? -1n) - (valueOf(a.total, unit) ?? -1n)),
  )[0];
  const first = writeDay(days[0] ?? '', locale);
  const last = writeDay(days.at(-1) ?? '', locale);
  const highestDay = highest === undefined ? first : writeDay(highest.day, locale);
  const highestFigure = writeFigure(i18n, highest === undefined ? null : valueOf(highest.total, unit), unit);
  const sentence = t`From ${first} to ${last}: ${all}. The highest day was ${highestDay}, with ${highestFigure}.`;
  return (
    <figure className="flex flex-col gap-3 rounded-large border border-line bg-panel p-4">
      <figcaption className="text-soft">{sentence}</figcaption>
      <Suspense fallback={<div className="h-64" />}>
        <Chart label={sentence} days={days} series={series} isStacked write={write} />
      </Suspense>
      <details>
        <summary className="w-fit text-soft select-none hover:text-ink">
          <Trans>Days as a table</Trans>
        </summary>
        <div className="mt-2">
          <Table
            label={t`Days`}
            rows={totals.toReversed()}
            idOf={({ day }) => day}
            columns={[
              { id: 'day', head: <Trans>Day</Trans>, cell: ({ day }) => writeDay(day, locale) },
              {
                id: 'calls',
                head: <Trans>Calls</Trans>,
                isNumber: true,
                cell: ({ total }) => writeFigure(i18n, BigInt(total.requests), 'tokens'),
              },
              {
                id: 'tokens',
                head: <Trans>Tokens</Trans>,
                isNumber: true,
                cell: ({ total }) => (total.requests === 0 ? '0' : writeFigure(i18n, total.tokens, 'tokens')),
              },
              {
                id: 'cost',
                head: <Trans>Cost</Trans>,
                isNumber: true,
                cell: ({ total }) => writeFigure(i18n, total.requests === 0 ? 0n : total.costNanoUsd, 'money'),
              },
            ]}
          />
        </div>
      </details>
    </figure>
  );
}
