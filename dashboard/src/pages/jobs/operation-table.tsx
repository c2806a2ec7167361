import { Trans, useLingui } from '@lingui/react/macro';
import { Link } from '@tanstack/react-router';
import type { Operation } from '../../api/integrations.ts';
import { useNames } from '../../api/names.ts';
import { actionsColumn, Table, type Column } from '../../parts/table.tsx';
import { Time } from '../../parts/time.tsx';
import { OPERATION_KIND, OPERATION_ORIGIN } from '../../words/labels.ts';
import { OperationMenu } from './operation-menu.tsx';
import { OperationStateBadge, Progress } from './operation-state.tsx';

interface Props {
  label: string;
  rows: Operation[];
  onEnd?: (() => void) | undefined;
}

export function OperationTable({ label, rows, onEnd }: Props) {
  const { i18n } = useLingui();
  const nameOf = useNames(
    'integration',
    rows.map((row) => row.integration_id),
  );
  const columns: Column<Operation>[] = [
    {
      id: 'kind',
      head: <Trans>Operation</Trans>,
      cell: (row) => (
        <Link
          to="/jobs/$id"
          params={{ id: row.id }}
          className="block max-w-56 truncate font-medium hover:underline max-md:max-w-36"
        >
          {i18n._(OPERATION_KIND[row.kind])}
        </Link>
      ),
    },
    { id: 'state', head: <Trans>State</Trans>, cell: (row) => <OperationStateBadge state={row.state} /> },
    { id: 'progress', head: <Trans>Progress</Trans>, isExtra: true, cell: (row) => <Progress row={row} /> },
    {
      id: 'integration',
      head: <Trans>Integration</Trans>,
      isExtra: true,
      cell: ({ integration_id: id }) => (
        <span className="block max-w-40 truncate">{typeof id === 'string' ? nameOf(id) : '—'}</span>
      ),
    },
    {
      id: 'origin',
      head: <Trans>Begun</Trans>,
      isExtra: true,
      cell: (row) => (
        <>
          <Time at={row.created_at} /> <span className="text-soft">{i18n._(OPERATION_ORIGIN[row.origin])}</span>
        </>
      ),
    },
    { id: 'attempt', head: <Trans>Attempt</Trans>, isNumber: true, isExtra: true, cell: (row) => row.attempt },
    {
      id: 'due',
      head: <Trans>Next due</Trans>,
      isNumber: true,
      isExtra: true,
      cell: ({ due_at }) => (due_at ? <Time at={due_at} /> : <span className="text-soft">—</span>),
    },
    actionsColumn((row) => <OperationMenu row={row} />),
  ];
  return <Table label={label} columns={columns} rows={rows} idOf={(row) => row.id} onEnd={onEnd} />;
}
