import { Trans, useLingui } from '@lingui/react/macro';
import { useInfiniteQuery } from '@tanstack/react-query';
import { UserPlus } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { invitations, members } from '../api/people.ts';
import { useMay } from '../frame/me.ts';
import { Button } from '../parts/button.tsx';
import { Page } from '../parts/page.tsx';
import { useRows } from '../parts/rows.ts';
import { Failure, Loading } from '../parts/states.tsx';
import { InvitationTable } from './people/invitation-table.tsx';
import { MemberTable } from './people/member-table.tsx';

const InviteDialog = lazy(() => import('./people/invite-dialog.tsx'));

/** Members of the tenant with their roles, and who has been invited. */
export function PeoplePage() {
  const { t } = useLingui();
  const may = useMay();
  const [isInviting, setInviting] = useState(false);
  const found = useInfiniteQuery(members);
  const { rows, onEnd } = useRows(found);
  return (
    <Page
      title={<Trans>People</Trans>}
      note={<Trans>Each role says what its person may do; the server holds everybody to it.</Trans>}
      actions={
        may('invitations.create') && (
          <Button look="primary" onClick={() => setInviting(true)}>
            <UserPlus size={15} aria-hidden />
            <Trans>Invite</Trans>
          </Button>
        )
      }
    >
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading rows={3} />}
      {rows.length > 0 && <MemberTable label={t`Members`} rows={rows} onEnd={onEnd} />}
      {may('invitations.read') && <Invitations />}
      {isInviting && (
        <Suspense>
          <InviteDialog onClose={() => setInviting(false)} />
        </Suspense>
      )}
    </Page>
  );
}

function Invitations() {
  const found = useInfiniteQuery(invitations);
  const { rows, onEnd } = useRows(found);
  // Who has come is a member, and what was taken back is over.
  const open = rows.filter((row) => !row.accepted_at && !row.revoked_at);
  return (
    <>
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {open.length > 0 && (
        <section className="mt-2 flex flex-col gap-2">
          <h2 className="text-large font-semibold">
            <Trans>Invitations</Trans>
          </h2>
          <InvitationTable rows={open} onEnd={onEnd} />
        </section>
      )}
    </>
  );
}
