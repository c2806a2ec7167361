import { Plural, Trans, useLingui } from '@lingui/react/macro';
import type { ReactNode } from 'react';
import { Table, type Column } from '../../parts/table.tsx';
import { change, MAX_SERIES, OTHERS, valueOf, type Grouped, type Sum } from './figures.ts';
import type { Group, Unit } from './search.ts';
import { colourOf } from './usage-chart.tsx';
import { GROUP, writeFigure, writeGroup } from './words.ts';

interface Props {
  groups: Grouped[];
  /** Sums of the days before, by the same keys. */
  previous: Map<string, Sum>;
  group: Group;
  unit: Unit;
  nameOf: (id: string) => string;
}

/** Groups with their figures; the colours are those of the chart. */
export function GroupTable({ groups, previous, group, unit, nameOf }: Props) {
  const { t, i18n } = useLingui();
  const indexes = new Map(groups.map(({ key }, index) => [key, index]));
  const percent = new Intl.NumberFormat(i18n.locale, { signDisplay: 'exceptZero', maximumFractionDigits: 1 });
  const number = new Intl.NumberFormat(i18n.locale);
  const swatch = (key: string) => {
    const index = indexes.get(key) ?? 0;
    return `var(--${colourOf(index, index < MAX_SERIES ? key : OTHERS)})`;
  };
  const columns: Column<Grouped>[] = [
    {
      id: 'group',
      head: i18n._(GROUP[group]),
      cell: ({ key }) => (
        <span className="flex items-center gap-2">
          <span aria-hidden className="size-2.5 shrink-0 rounded-small" style={{ background: swatch(key) }} />
          <span className="max-w-80 min-w-20 truncate font-medium max-md:max-w-28">
            {writeGroup(i18n, group, key, nameOf)}
          </span>
        </span>
      ),
    },
    { id: 'calls', head: <Trans>Calls</Trans>, isNumber: true, cell: ({ total }) => number.format(total.requests) },
    {
      id: 'failed',
      head: <Trans>Failed</Trans>,
      isNumber: true,
      isExtra: true,
      cell: ({ total }) => number.format(total.failed),
    },
    {
      id: 'refused',
      head: <Trans>Refused</Trans>,
      isNumber: true,
      isExtra: true,
      cell: ({ total }) => number.format(total.refused),
    },
    {
      id: 'tokens',
      head: <Trans>Tokens</Trans>,
      isNumber: true,
      isExtra: true,
      cell: ({ total }) => (
        <Known missing={total.unknownTokens}>
          {writeFigure(i18n, total.requests === 0 ? 0n : total.tokens, 'tokens')}
        </Known>
      ),
    },
    {
      id: 'cost',
      head: <Trans>Cost</Trans>,
      isNumber: true,
      cell: ({ total }) => (
        <Known missing={total.unpriced}>
          {writeFigure(i18n, total.requests === 0 ? 0n : total.costNanoUsd, 'money')}
        </Known>
      ),
    },
    {
      id: 'change',
      head: <Trans>Change</Trans>,
      isNumber: true,
      isExtra: true,
      cell: ({ key, total }) => {
        const then = previous.get(key);
        const found = change(valueOf(total, unit), then === undefined ? null : valueOf(then, unit));
        return found === null ? <span className="text-soft">—</span> : `${percent.format(found)} %`;
      },
    },
  ];
  return <Table label={t`Usage by group`} columns={columns} rows={groups} idOf={({ key }) => key || 'none'} />;
}

/** Figure, and the number of calls that it leaves out. */
function Known({ missing, children }: { missing: number; children: ReactNode }) {
  if (missing === 0) return children;
  return (
    <span className="leading-tight">
      {children}
      <span className="block text-tiny text-warn">
        <Plural value={missing} one="# call missing" other="# calls missing" />
      </span>
    </span>
  );
}
