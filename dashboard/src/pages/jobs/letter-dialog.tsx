import { Trans, useLingui } from '@lingui/react/macro';
import { Link } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';
import { discard, replay, type DeadLetter } from '../../api/dead-letters.ts';
import { useMay } from '../../frame/me.ts';
import { Button } from '../../parts/button.tsx';
import { Id } from '../../parts/copy.tsx';
import { Actions, Dialog } from '../../parts/dialog.tsx';
import { Failure } from '../../parts/states.tsx';
import { Time } from '../../parts/time.tsx';
import { toast } from '../../parts/toast.tsx';

/** Envelope of a dead letter: everything but its body, which Keyway does not show. */
export default function LetterDialog({ letter, onClose }: { letter: DeadLetter; onClose: () => void }) {
  const { t } = useLingui();
  const may = useMay();
  const [isBusy, setBusy] = useState(false);
  const [isSure, setSure] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function act(work: Promise<unknown>, done: string) {
    setBusy(true);
    setError(null);
    try {
      await work;
      toast(done);
      onClose();
    } catch (reason) {
      setError(reason);
      setBusy(false);
    }
  }

  return (
    <Dialog
      isOpen
      title={<Trans>Dead letter</Trans>}
      description={<span className="inline-block first-letter:uppercase">{letter.next}</span>}
      onClose={onClose}
    >
      <dl className="grid grid-cols-[7rem_minmax(0,1fr)] gap-x-3 gap-y-1.5">
        <Fact label={<Trans>Id</Trans>}>
          <Id value={letter.id} />
        </Fact>
        <Fact label={<Trans>Lane</Trans>}>
          <span className="font-mono text-small">{letter.lane}</span>
        </Fact>
        <Fact label={<Trans>Reason</Trans>}>
          <span className="font-mono text-small">{letter.reason}</span>
        </Fact>
        <Fact label={<Trans>Error message</Trans>}>
          <span className="break-words">{letter.error}</span>
        </Fact>
        <Fact label={<Trans>Attempts</Trans>}>{letter.attempts}</Fact>
        <Fact label={<Trans>Filed</Trans>}>
          <Time at={letter.created_at} />
        </Fact>
        <Fact label={<Trans>Replayed</Trans>}>
          <Time at={letter.replayed_at} />
        </Fact>
        {letter.operation_id && (
          <Fact label={<Trans>Operation</Trans>}>
            <Link
              to="/jobs/$id"
              params={{ id: letter.operation_id }}
              className="block truncate font-mono text-small text-accent underline"
            >
              {letter.operation_id}
            </Link>
          </Fact>
        )}
      </dl>
      <div className="mt-3">
        <Failure error={error} />
      </div>
      <Actions>
        {may('dead_letters.delete') && (
          <Button
            look="danger"
            isBusy={isBusy}
            onClick={() => (isSure ? void act(discard(letter.id), t`The letter is discarded`) : setSure(true))}
          >
            {isSure ? <Trans>Discard for good</Trans> : <Trans>Discard…</Trans>}
          </Button>
        )}
        {may('dead_letters.update') && (
          <Button
            look="primary"
            isBusy={isBusy}
            onClick={() => void act(replay(letter.id), t`The letter is handed to its lane again`)}
          >
            <Trans>Replay</Trans>
          </Button>
        )}
      </Actions>
    </Dialog>
  );
}

function Fact({ label, children }: { label: ReactNode; children: ReactNode }) {
  return (
    <>
      <dt className="text-soft">{label}</dt>
      <dd className="min-w-0">{children}</dd>
    </>
  );
}
