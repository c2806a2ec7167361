import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery } from '@tanstack/react-query';
import { projects } from '../../api/integrations.ts';
import { spendByKey } from '../../api/spend.ts';
import type { VirtualKey } from '../../api/virtual-keys.ts';
import { useMay } from '../../frame/me.ts';
import { LimitSummary } from '../../parts/limits.tsx';
import { Money } from '../../parts/money.tsx';
import { actionsColumn, Table, type Column } from '../../parts/table.tsx';
import { Time } from '../../parts/time.tsx';
import { KeyStatusBadge } from './key-status.tsx';
import { RowMenu } from './row-menu.tsx';

export function KeyTable({ rows, onEnd }: { rows: VirtualKey[]; onEnd: (() => void) | undefined }) {
  const { t } = useLingui();
  const may = useMay();
  const own = useQuery(projects).data ?? [];
  const names = new Map(own.map(({ id, name }) => [id, name]));
  const spend = useQuery({ ...spendByKey, enabled: may('usage.read') }).data;
  const columns: Column<VirtualKey>[] = [
    {
      id: 'name',
      head: <Trans>Name</Trans>,
      cell: (row) => (
        <span className="block max-w-64 min-w-24 truncate">
          <span className="font-medium">{row.name}</span>
          <span className="block truncate font-mono text-tiny text-soft">{row.hint}</span>
        </span>
      ),
    },
    { id: 'status', head: <Trans>Status</Trans>, cell: (row) => <KeyStatusBadge row={row} /> },
    {
      id: 'limits',
      head: <Trans>Limits</Trans>,
      isExtra: true,
      cell: (row) => <LimitSummary limits={row.limits} />,
    },
    {
      id: 'expires',
      head: <Trans>Expires</Trans>,
      isExtra: true,
      cell: (row) => <Time at={row.expires_at} />,
    },
    {
      id: 'used',
      head: <Trans>Last used</Trans>,
      isNumber: true,
      isExtra: true,
      cell: (row) => <Time at={row.last_used_at} />,
    },
    actionsColumn((row) => <RowMenu row={row} />),
  ];
  if (own.length > 1) {
    columns.splice(2, 0, {
      id: 'project',
      head: <Trans>Project</Trans>,
      isExtra: true,
      cell: (row) => <span className="block max-w-40 truncate">{names.get(row.project_id) ?? '—'}</span>,
    });
  }
  if (spend !== undefined) {
    columns.splice(-2, 0, {
      id: 'spend',
      head: <Trans>This month</Trans>,
      isNumber: true,
      isExtra: true,
      // A key without a row has made no call; one with a row and no cost has made calls of unknown cost.
      cell: (row) => <Money nanoUsd={spend.has(row.id) ? spend.get(row.id)?.cost_nano_usd : 0} />,
    });
  }
  return <Table label={t`Virtual keys`} columns={columns} rows={rows} idOf={(row) => row.id} onEnd={onEnd} />;
}
