import { Trans, useLingui } from '@lingui/react/macro';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { takeBack, type Invitation } from '../../api/people.ts';
import { useMay } from '../../frame/me.ts';
import { Button } from '../../parts/button.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { StatusBadge } from '../../parts/status.tsx';
import { actionsColumn, Table, type Column } from '../../parts/table.tsx';
import { Time, useNow } from '../../parts/time.tsx';
import { ROLE } from '../../words/labels.ts';

/** Invitations that nobody has taken up yet. */
export function InvitationTable({ rows, onEnd }: { rows: Invitation[]; onEnd: (() => void) | undefined }) {
  const { t, i18n } = useLingui();
  const may = useMay();
  const nowMs = useNow();
  const queryClient = useQueryClient();
  const [chosen, setChosen] = useState<Invitation | null>(null);
  const columns: Column<Invitation>[] = [
    {
      id: 'email',
      head: <Trans>Email</Trans>,
      cell: (row) => <span className="block max-w-72 min-w-24 truncate font-medium">{row.email}</span>,
    },
    { id: 'role', head: <Trans>Role</Trans>, isExtra: true, cell: (row) => i18n._(ROLE[row.role]) },
    {
      id: 'state',
      head: <Trans>Status</Trans>,
      cell: (row) =>
        Date.parse(row.expires_at) > nowMs ? (
          <StatusBadge tone="busy">{t`Open`}</StatusBadge>
        ) : (
          <StatusBadge tone="idle">{t({ message: 'Expired', context: 'invitation' })}</StatusBadge>
        ),
    },
    {
      id: 'expires',
      head: <Trans>Expires</Trans>,
      isNumber: true,
      isExtra: true,
      cell: (row) => <Time at={row.expires_at} />,
    },
    actionsColumn(
      (row) =>
        may('invitations.delete') && (
          <Button look="quiet" onClick={() => setChosen(row)}>
            <Trans>Take back</Trans>
          </Button>
        ),
    ),
  ];
  return (
    <>
      <Table label={t`Invitations`} columns={columns} rows={rows} idOf={(row) => row.id} onEnd={onEnd} />
      {chosen !== null && (
        <Confirm
          title={<Trans>Take the invitation of {chosen.email} back?</Trans>}
          action={<Trans>Take back</Trans>}
          run={() => takeBack(chosen.id).then(() => queryClient.invalidateQueries({ queryKey: ['invitations'] }))}
          onClose={() => setChosen(null)}
        >
          <Trans>Its link does not work any more.</Trans>
        </Confirm>
      )}
    </>
  );
}
