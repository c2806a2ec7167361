import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Ellipsis, UserCog, UserMinus } from 'lucide-react';
import { useState } from 'react';
import { projects } from '../../api/integrations.ts';
import { changeRole, removeMember, type Member, type Role } from '../../api/people.ts';
import { useMay, useMe } from '../../frame/me.ts';
import { IconButton } from '../../parts/button.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { Menu, MenuItem } from '../../parts/menu.tsx';
import { actionsColumn, Table, type Column } from '../../parts/table.tsx';
import { Time } from '../../parts/time.tsx';
import { typed } from '../../parts/typed.ts';
import { ROLE } from '../../words/labels.ts';
import { RoleField } from './role-field.tsx';

interface Props {
  label: string;
  rows: Member[];
  onEnd: (() => void) | undefined;
}

export function MemberTable({ label, rows, onEnd }: Props) {
  const { i18n } = useLingui();
  const may = useMay();
  const { user } = useMe();
  const own = useQuery({ ...projects, enabled: may('projects.read') }).data ?? [];
  const names = new Map(own.map(({ id, name }) => [id, name]));
  const columns: Column<Member>[] = [
    {
      id: 'name',
      head: <Trans>Name</Trans>,
      cell: (row) => (
        <span className="block max-w-72 min-w-24 truncate">
          <span className="font-medium">{row.name ?? '—'}</span>
          {row.user_id === user?.id && (
            <span className="text-soft">
              {' '}
              <Trans>(you)</Trans>
            </span>
          )}
          <span className="block truncate text-small text-soft md:hidden">{row.email}</span>
        </span>
      ),
    },
    { id: 'email', head: <Trans>Email</Trans>, isExtra: true, cell: (row) => row.email ?? '—' },
    {
      id: 'role',
      head: <Trans>Role</Trans>,
      cell: (row) => (
        <span className="whitespace-nowrap">
          {i18n._(ROLE[row.role])}
          {row.project_id && (
            <span className="block text-small text-soft">{names.get(row.project_id) ?? row.project_id}</span>
          )}
        </span>
      ),
    },
    {
      id: 'since',
      head: <Trans>Member since</Trans>,
      isNumber: true,
      isExtra: true,
      cell: (row) => <Time at={row.created_at} />,
    },
    actionsColumn((row) => <MemberMenu row={row} />),
  ];
  return <Table label={label} columns={columns} rows={rows} idOf={(row) => row.id} onEnd={onEnd} />;
}

function MemberMenu({ row }: { row: Member }) {
  const { t, i18n } = useLingui();
  const may = useMay();
  const queryClient = useQueryClient();
  const [open, setOpen] = useState<'role' | 'remove' | null>(null);
  const name = row.name ?? row.email ?? row.user_id;
  const isTheirs = row.role !== 'owner' || may('owners.manage');
  const close = () => setOpen(null);

  async function refresh() {
    await queryClient.invalidateQueries({ queryKey: ['members'] });
    // One's own role decides what the page offers.
    await queryClient.invalidateQueries({ queryKey: ['me'] });
  }

  return (
    <>
      <Menu
        trigger={
          <IconButton label={t`Actions of ${name}`}>
            <Ellipsis size={16} aria-hidden />
          </IconButton>
        }
      >
        <MenuItem isDisabled={!isTheirs || !may('members.update')} onSelect={() => setOpen('role')}>
          <UserCog size={14} aria-hidden />
          <Trans>Change the role</Trans>
        </MenuItem>
        <MenuItem isDangerous isDisabled={!isTheirs || !may('members.delete')} onSelect={() => setOpen('remove')}>
          <UserMinus size={14} aria-hidden />
          <Trans>Remove</Trans>
        </MenuItem>
      </Menu>
      {open === 'role' && (
        <FormDialog
          title={<Trans>Role of {name}</Trans>}
          description={<Trans>It holds within a second. Sessions end: the person signs in again.</Trans>}
          action={<Trans>Save</Trans>}
          run={async (form) => {
            await changeRole(row, typed(form, 'role') as Role);
            await refresh();
            close();
          }}
          onClose={close}
        >
          <RoleField role={row.role} />
        </FormDialog>
      )}
      {open === 'remove' && (
        <Confirm
          title={<Trans>Remove {name}?</Trans>}
          action={<Trans>Remove</Trans>}
          name={row.email ?? name}
          run={() => removeMember(row.id).then(refresh)}
          onClose={close}
        >
          <Trans>
            The role {i18n._(ROLE[row.role])} ends, and with it the services that this person made. Sessions end within
            a second. What was done stays in the audit log.
          </Trans>
        </Confirm>
      )}
    </>
  );
}
