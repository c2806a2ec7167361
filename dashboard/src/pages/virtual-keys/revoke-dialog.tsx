import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Check, LoaderCircle, X } from 'lucide-react';
import { useState } from 'react';
import { hasEnded, operation } from '../../api/integrations.ts';
import { revokeKey, type VirtualKey } from '../../api/virtual-keys.ts';
import { Button } from '../../parts/button.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { Actions, Dialog } from '../../parts/dialog.tsx';
import { Failure } from '../../parts/states.tsx';

/** Revokes a virtual key, then shows how one replica after the other drops it. */
export function RevokeDialog({ row, onClose }: { row: VirtualKey; onClose: () => void }) {
  const queryClient = useQueryClient();
  const [operationId, setOperationId] = useState<string | null>(null);
  if (operationId !== null) return <Progress name={row.name} operationId={operationId} onClose={onClose} />;
  return (
    <Confirm
      title={<Trans>Revoke {row.name}?</Trans>}
      action={<Trans>Revoke</Trans>}
      name={row.name}
      run={async () => {
        const revoked = await revokeKey(row.id);
        setOperationId(revoked.operation.id);
        await queryClient.invalidateQueries({ queryKey: ['virtual-keys'] });
      }}
      // The progress takes its place.
      onDone={() => undefined}
      onClose={onClose}
    >
      <Trans>Calls with it are refused from now on, for good. What it has spent stays in usage and audit.</Trans>
    </Confirm>
  );
}

interface ProgressProps {
  name: string;
  operationId: string;
  onClose: () => void;
}

function Progress({ name, operationId, onClose }: ProgressProps) {
  const { t } = useLingui();
  const work = useQuery(operation(operationId));
  const row = work.data;
  const [done, total] = [row?.done ?? 0, row?.total ?? 0];
  const isOver = row !== undefined && hasEnded(row);
  const isWhole = row?.state === 'succeeded';
  const Sign = isOver ? (isWhole ? Check : X) : LoaderCircle;
  const tone = isOver ? (isWhole ? 'text-ok' : 'text-bad') : 'animate-spin text-accent';
  return (
    <Dialog isOpen title={<Trans>{name} is revoked</Trans>} onClose={onClose}>
      <div aria-live="polite" className="flex flex-col gap-3">
        <p className="flex items-center gap-2">
          <Sign size={15} aria-hidden className={`shrink-0 ${tone}`} />
          {isWhole ? (
            <Trans>Every replica refuses it.</Trans>
          ) : isOver ? (
            <Trans>Not every replica has confirmed that it refuses it.</Trans>
          ) : (
            <Trans>Replicas are told to drop it.</Trans>
          )}
        </p>
        {total > 0 && (
          <>
            <progress
              aria-label={t`Replicas that refuse it`}
              className="h-1.5 w-full appearance-none overflow-hidden rounded-full bg-sunken [&::-moz-progress-bar]:bg-accent [&::-webkit-progress-bar]:bg-sunken [&::-webkit-progress-value]:bg-accent"
              value={done}
              max={total}
            />
            <p className="text-soft tabular-nums">
              <Trans>
                {done} of {total} replicas have confirmed
              </Trans>
            </p>
          </>
        )}
        {(row?.unanswered?.length ?? 0) > 0 && (
          <p className="font-mono text-tiny break-all text-soft">{row?.unanswered?.join(', ')}</p>
        )}
        {row?.error && <p className="text-bad">{row.error.message}</p>}
        <Failure error={work.error} />
      </div>
      <Actions>
        <Button look="primary" onClick={onClose}>
          <Trans>Done</Trans>
        </Button>
      </Actions>
    </Dialog>
  );
}
