import { useLingui } from '@lingui/react/macro';
import type { Operation } from '../../api/integrations.ts';
import type { OperationState } from '../../api/operations.ts';
import { StatusBadge, type Tone } from '../../parts/status.tsx';
import { OPERATION_STATE } from '../../words/labels.ts';

const TONES: Record<OperationState, Tone> = {
  queued: 'idle',
  running: 'busy',
  succeeded: 'ok',
  failed: 'bad',
  cancelled: 'warn',
};

export function OperationStateBadge({ state }: { state: OperationState }) {
  const { i18n } = useLingui();
  return <StatusBadge tone={TONES[state]}>{i18n._(OPERATION_STATE[state])}</StatusBadge>;
}

/** How many of a fan-out's children have ended; nothing for work without children. */
export function Progress({ row }: { row: Operation }) {
  const { t } = useLingui();
  const { done, failed, total } = row;
  if (typeof total !== 'number') return <span className="text-soft">—</span>;
  const share = (part: number | null | undefined) => `${total === 0 ? 0 : (100 * (part ?? 0)) / total}%`;
  return (
    <span className="inline-flex w-full max-w-48 min-w-20 items-center gap-2">
      <span aria-hidden className="flex h-1.5 grow overflow-hidden rounded-full bg-sunken">
        <span className="bg-ok" style={{ width: share(done) }} />
        <span className="bg-bad" style={{ width: share(failed) }} />
      </span>
      <span className="text-small whitespace-nowrap tabular-nums">
        {t`${done ?? 0} of ${total}`}
        {typeof failed === 'number' && failed > 0 && <span className="text-bad"> {t`(${failed} failed)`}</span>}
      </span>
    </span>
  );
}
