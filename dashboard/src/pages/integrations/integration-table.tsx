import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Lock } from 'lucide-react';
import { providers, type Integration } from '../../api/integrations.ts';
import { actionsColumn, Table, type Column } from '../../parts/table.tsx';
import { Time } from '../../parts/time.tsx';
import { VERDICT } from '../../words/labels.ts';
import { IntegrationStatusBadge } from './integration-status.tsx';
import { RowMenu } from './row-menu.tsx';

export function IntegrationTable({ rows, onEnd }: { rows: Integration[]; onEnd: (() => void) | undefined }) {
  const { t } = useLingui();
  const known = useQuery(providers);
  const names = new Map(known.data?.map(({ name, display_name }) => [name, display_name]));
  const columns: Column<Integration>[] = [
    {
      id: 'name',
      head: <Trans>Name</Trans>,
      cell: (row) => (
        <span className="block max-w-64 min-w-24 truncate">
          <Link to="/integrations/$id" params={{ id: row.id }} className="font-medium hover:underline">
            {row.name}
          </Link>
          <span className="block truncate font-mono text-tiny text-soft md:hidden">{row.hint}</span>
        </span>
      ),
    },
    { id: 'status', head: <Trans>Status</Trans>, cell: (row) => <IntegrationStatusBadge status={row.status} /> },
    {
      id: 'provider',
      head: <Trans>Provider</Trans>,
      isExtra: true,
      cell: (row) => names.get(row.provider) ?? row.provider,
    },
    { id: 'key', head: <Trans>Key</Trans>, isExtra: true, cell: (row) => <Hint text={row.hint} /> },
    { id: 'verdict', head: <Trans>Last verdict</Trans>, isExtra: true, cell: (row) => <LastVerdict row={row} /> },
    {
      id: 'used',
      head: <Trans>Last used</Trans>,
      isNumber: true,
      isExtra: true,
      cell: (row) => <Time at={row.last_used_at} />,
    },
    actionsColumn((row) => <RowMenu row={row} />),
  ];
  return <Table label={t`Integrations`} columns={columns} rows={rows} idOf={(row) => row.id} onEnd={onEnd} />;
}

/** Beginning and end of a key, and the sign that the rest is sealed. */
function Hint({ text }: { text: string }) {
  const { t } = useLingui();
  const meaning = t`Sealed with AES-256-SIV and bound to this row; nobody can read it here`;
  return (
    <span className="inline-flex items-center gap-1.5" title={meaning}>
      <Lock size={12} role="img" aria-label={meaning} className="shrink-0 text-soft" />
      <span className="font-mono text-small whitespace-nowrap">{text}</span>
    </span>
  );
}

function LastVerdict({ row }: { row: Integration }) {
  const { i18n } = useLingui();
  if (row.verdict === null || row.verdict === undefined) return <span className="text-soft">—</span>;
  const { kind, reason, checked_at } = row.verdict;
  return (
    <span className="flex max-w-80 items-baseline gap-1.5" title={reason}>
      <span className="truncate">{i18n._(VERDICT[kind])}</span>
      <span className="text-small text-soft">
        <Time at={checked_at} />
      </span>
    </span>
  );
}
