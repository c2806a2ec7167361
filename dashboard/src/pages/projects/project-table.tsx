import { Trans, useLingui } from '@lingui/react/macro';
import { useQueryClient } from '@tanstack/react-query';
import { Ellipsis, SlidersHorizontal, Trash2 } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { deleteProject, type Project } from '../../api/projects.ts';
import { useMay } from '../../frame/me.ts';
import { IconButton } from '../../parts/button.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { LimitSummary } from '../../parts/limits.tsx';
import { Menu, MenuItem, MenuLine } from '../../parts/menu.tsx';
import { Money } from '../../parts/money.tsx';
import { actionsColumn, Table, type Column } from '../../parts/table.tsx';
import { Time } from '../../parts/time.tsx';

const ProjectDialog = lazy(() => import('./project-dialog.tsx'));

/** Name of the project that is always there. */
const KEPT = 'default';

export function ProjectTable({ rows, onEnd }: { rows: Project[]; onEnd: (() => void) | undefined }) {
  const { t } = useLingui();
  const columns: Column<Project>[] = [
    {
      id: 'name',
      head: <Trans>Name</Trans>,
      cell: (row) => <span className="block max-w-64 min-w-24 truncate font-medium">{row.name}</span>,
    },
    { id: 'limits', head: <Trans>Limits</Trans>, isExtra: true, cell: (row) => <LimitSummary limits={row.limits} /> },
    { id: 'fallback', head: <Trans>The operator's key</Trans>, cell: (row) => <Consent row={row} /> },
    {
      id: 'created',
      head: <Trans>Created</Trans>,
      isNumber: true,
      isExtra: true,
      cell: (row) => <Time at={row.created_at} />,
    },
    actionsColumn((row) => <ProjectMenu row={row} />),
  ];
  return <Table label={t`Projects`} columns={columns} rows={rows} idOf={(row) => row.id} onEnd={onEnd} />;
}

function Consent({ row }: { row: Project }) {
  if (!row.fallback) {
    return (
      <span className="text-soft">
        <Trans>not used</Trans>
      </span>
    );
  }
  const { this_month, monthly_budget_nano_usd } = row.fallback;
  return (
    <span className="md:whitespace-nowrap">
      <Trans>
        <Money nanoUsd={this_month?.cost_nano_usd ?? 0} /> of <Money nanoUsd={monthly_budget_nano_usd} /> a month
      </Trans>
    </span>
  );
}

function ProjectMenu({ row }: { row: Project }) {
  const { t } = useLingui();
  const may = useMay();
  const queryClient = useQueryClient();
  const [open, setOpen] = useState<'edit' | 'delete' | null>(null);
  const close = () => setOpen(null);
  const refresh = () => queryClient.invalidateQueries({ queryKey: ['projects'] });
  return (
    <>
      <Menu
        trigger={
          <IconButton label={t`Actions of ${row.name}`}>
            <Ellipsis size={16} aria-hidden />
          </IconButton>
        }
      >
        <MenuItem isDisabled={!may('projects.update')} onSelect={() => setOpen('edit')}>
          <SlidersHorizontal size={14} aria-hidden />
          <Trans>Name, limits, operator's key</Trans>
        </MenuItem>
        <MenuLine />
        <MenuItem
          isDangerous
          isDisabled={row.name === KEPT || !may('projects.delete')}
          onSelect={() => setOpen('delete')}
        >
          <Trash2 size={14} aria-hidden />
          <Trans>Delete</Trans>
        </MenuItem>
      </Menu>
      {open === 'edit' && (
        <Suspense>
          <ProjectDialog row={row} onClose={close} />
        </Suspense>
      )}
      {open === 'delete' && (
        <Confirm
          title={<Trans>Delete {row.name}?</Trans>}
          action={<Trans>Delete</Trans>}
          name={row.name}
          run={() => deleteProject(row.id).then(refresh)}
          onClose={close}
        >
          <Trans>Its virtual keys are revoked and go with it. Its integrations have to be deleted first.</Trans>
        </Confirm>
      )}
    </>
  );
}
