import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { useQueryClient } from '@tanstack/react-query';
import { Ban, Ellipsis, RefreshCw } from 'lucide-react';
import { useState } from 'react';
import { revokeService, rotateService, type NewService, type Service } from '../../api/services.ts';
import { useMay } from '../../frame/me.ts';
import { IconButton } from '../../parts/button.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { endOf } from '../../parts/date-field.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { Menu, MenuItem, MenuLine } from '../../parts/menu.tsx';
import { StatusBadge } from '../../parts/status.tsx';
import { actionsColumn, Table, type Column } from '../../parts/table.tsx';
import { Time, useNow } from '../../parts/time.tsx';
import { typed } from '../../parts/typed.ts';
import { ExpiryField } from './expiry-field.tsx';
import { TokenDialog } from './token-dialog.tsx';

export function ServiceTable({ rows, onEnd }: { rows: Service[]; onEnd: (() => void) | undefined }) {
  const { t } = useLingui();
  const columns: Column<Service>[] = [
    {
      id: 'name',
      head: <Trans>Name</Trans>,
      cell: (row) => (
        <span className="block max-w-64 min-w-24 truncate">
          <span className="font-medium">{row.name}</span>
          <span className="block truncate font-mono text-tiny text-soft">kw_svc_{row.public_id}_...</span>
        </span>
      ),
    },
    { id: 'status', head: <Trans>Status</Trans>, cell: (row) => <ServiceStatus row={row} /> },
    {
      id: 'permissions',
      head: <Trans>Permissions</Trans>,
      isExtra: true,
      cell: (row) => (
        <span title={row.permissions.join('\n')}>
          <Plural value={row.permissions.length} one="# permission" other="# permissions" />
        </span>
      ),
    },
    { id: 'expires', head: <Trans>Expires</Trans>, isExtra: true, cell: (row) => <Time at={row.expires_at} /> },
    {
      id: 'used',
      head: <Trans>Last used</Trans>,
      isNumber: true,
      isExtra: true,
      cell: (row) => <Time at={row.last_used_at} />,
    },
    actionsColumn((row) => <ServiceMenu row={row} />),
  ];
  return <Table label={t`Services`} columns={columns} rows={rows} idOf={(row) => row.id} onEnd={onEnd} />;
}

function ServiceStatus({ row }: { row: Service }) {
  const { t } = useLingui();
  const nowMs = useNow();
  if (row.revoked_at) return <StatusBadge tone="bad">{t({ message: 'Revoked', context: 'service' })}</StatusBadge>;
  if (Date.parse(row.expires_at) <= nowMs) {
    return <StatusBadge tone="warn">{t({ message: 'Expired', context: 'service' })}</StatusBadge>;
  }
  return <StatusBadge tone="ok">{t({ message: 'Active', context: 'service' })}</StatusBadge>;
}

function ServiceMenu({ row }: { row: Service }) {
  const { t } = useLingui();
  const may = useMay();
  const queryClient = useQueryClient();
  const [open, setOpen] = useState<'rotate' | 'revoke' | null>(null);
  const [made, setMade] = useState<NewService | null>(null);
  const isOver = typeof row.revoked_at === 'string';
  const close = () => setOpen(null);
  const refresh = () => queryClient.invalidateQueries({ queryKey: ['services'] });

  return (
    <>
      <Menu
        trigger={
          <IconButton label={t`Actions of ${row.name}`}>
            <Ellipsis size={16} aria-hidden />
          </IconButton>
        }
      >
        <MenuItem isDisabled={isOver || !may('services.rotate')} onSelect={() => setOpen('rotate')}>
          <RefreshCw size={14} aria-hidden />
          <Trans>Rotate the token</Trans>
        </MenuItem>
        <MenuLine />
        <MenuItem isDangerous isDisabled={isOver || !may('services.delete')} onSelect={() => setOpen('revoke')}>
          <Ban size={14} aria-hidden />
          <Trans>Revoke</Trans>
        </MenuItem>
      </Menu>
      {open === 'rotate' && (
        <FormDialog
          title={<Trans>Rotate the token of {row.name}</Trans>}
          description={<Trans>The present token stops working at once.</Trans>}
          action={<Trans>Rotate</Trans>}
          run={async (form) => {
            setMade(await rotateService(row.id, endOf(typed(form, 'expires_on')) ?? ''));
            close();
            await refresh();
          }}
          onClose={close}
        >
          <ExpiryField />
        </FormDialog>
      )}
      {open === 'revoke' && (
        <Confirm
          title={<Trans>Revoke {row.name}?</Trans>}
          action={<Trans>Revoke</Trans>}
          name={row.name}
          run={() => revokeService(row.id).then(refresh)}
          onClose={close}
        >
          <Trans>Its token stops working within a second, for good.</Trans>
        </Confirm>
      )}
      {made !== null && <TokenDialog made={made} onClose={() => setMade(null)} />}
    </>
  );
}
