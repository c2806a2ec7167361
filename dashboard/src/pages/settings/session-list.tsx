import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { endOtherSessions, endSession, sessions, type Session } from '../../api/session.ts';
import { Button } from '../../parts/button.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { Failure, Loading } from '../../parts/states.tsx';
import { StatusBadge } from '../../parts/status.tsx';
import { Time } from '../../parts/time.tsx';

/** One's own sessions, each of which can be ended. */
export function SessionList() {
  const queryClient = useQueryClient();
  const found = useQuery(sessions);
  const [chosen, setChosen] = useState<Session | 'others' | null>(null);
  const rows = found.data ?? [];
  const close = () => setChosen(null);
  const refresh = () => queryClient.invalidateQueries({ queryKey: ['sessions'] });
  return (
    <div className="flex flex-col gap-3">
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading rows={2} />}
      <ul className="flex flex-col rounded-large border border-line bg-panel">
        {rows.map((row) => (
          <SessionRow key={row.id} row={row} onEnd={() => setChosen(row)} />
        ))}
      </ul>
      {rows.length > 1 && (
        <Button className="self-start" onClick={() => setChosen('others')}>
          <Trans>End all others</Trans>
        </Button>
      )}
      {chosen !== null && (
        <Confirm
          title={chosen === 'others' ? <Trans>End all other sessions?</Trans> : <Trans>End this session?</Trans>}
          action={<Trans>End</Trans>}
          run={() => (chosen === 'others' ? endOtherSessions() : endSession(chosen.id)).then(refresh)}
          onClose={close}
        >
          <Trans>Whoever works in it has to sign in again. What was done in it stays.</Trans>
        </Confirm>
      )}
    </div>
  );
}

function SessionRow({ row, onEnd }: { row: Session; onEnd: () => void }) {
  const { t } = useLingui();
  return (
    <li className="flex items-center gap-3 border-t border-line px-3 py-2.5 first:border-t-0">
      <div className="min-w-0 grow">
        <p className="truncate font-medium" title={row.device ?? undefined}>
          {row.device ?? t`Unknown program`}
        </p>
        <p className="text-small text-soft">
          {row.address ?? t`unknown address`} · <Time at={row.last_seen_at} />
        </p>
      </div>
      {row.is_current ? (
        <StatusBadge tone="ok">
          <Trans>This one</Trans>
        </StatusBadge>
      ) : (
        <Button look="quiet" onClick={onEnd}>
          <Trans>End</Trans>
        </Button>
      )}
    </li>
  );
}
