import { Trans, useLingui } from '@lingui/react/macro';
import { ArrowRight } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Operation } from '../../api/integrations.ts';
import type { OperationState } from '../../api/operations.ts';
import { Time } from '../../parts/time.tsx';
import { OPERATION_STATE } from '../../words/labels.ts';

const FINAL: OperationState[] = ['succeeded', 'failed', 'cancelled'];

function Arrow() {
  return <ArrowRight size={14} aria-hidden className="shrink-0 text-soft" />;
}

interface FilterProps {
  state: OperationState | undefined;
  onChoose: (state: OperationState | undefined) => void;
}

/** States in the order in which work goes through them; one of them filters the list. */
export function StateFilter({ state, onChoose }: FilterProps) {
  const { t, i18n } = useLingui();
  const chip = (own: OperationState | undefined, children: ReactNode) => (
    <button
      key={own ?? 'all'}
      type="button"
      aria-pressed={state === own}
      onClick={() => onChoose(own)}
      className={`h-7 rounded-full border px-2.5 whitespace-nowrap ${state === own ? 'border-edge bg-panel font-medium text-ink' : 'border-transparent text-soft hover:bg-sunken'}`}
    >
      {children}
    </button>
  );
  return (
    <div role="group" aria-label={t`State`} className="flex flex-wrap items-center gap-1">
      {chip(undefined, t`All`)}
      {chip('queued', i18n._(OPERATION_STATE.queued))}
      <Arrow />
      {chip('running', i18n._(OPERATION_STATE.running))}
      <Arrow />
      {FINAL.map((own) => chip(own, i18n._(OPERATION_STATE[own])))}
    </div>
  );
}

/** The states of one operation: which it went through and when, and where it is. */
export function StateMachine({ row }: { row: Operation }) {
  const { t, i18n } = useLingui();
  const end = FINAL.find((state) => state === row.state);
  const steps: { state: OperationState; at: string | null | undefined; isNow: boolean; isReached: boolean }[] = [
    { state: 'queued', at: row.created_at, isNow: row.state === 'queued', isReached: true },
    {
      state: 'running',
      at: row.started_at,
      isNow: row.state === 'running',
      isReached: typeof row.started_at === 'string',
    },
    { state: end ?? 'succeeded', at: row.finished_at, isNow: end !== undefined, isReached: end !== undefined },
  ];
  return (
    <ol aria-label={t`States`} className="flex flex-wrap items-center gap-2">
      {steps.map(({ state, at, isNow, isReached }, index) => (
        <li key={state} aria-current={isNow ? 'step' : undefined} className="flex items-center gap-2">
          {index > 0 && <Arrow />}
          <span
            className={`flex min-w-28 flex-col rounded-base border px-3 py-1.5 ${isNow ? 'border-accent bg-accent-soft' : 'border-line bg-panel'} ${isReached ? '' : 'text-soft'}`}
          >
            <span className="font-medium">{i18n._(OPERATION_STATE[state])}</span>
            <span className="text-small text-soft">
              {isReached && at ? <Time at={at} /> : isReached ? '—' : <Trans>not yet</Trans>}
            </span>
          </span>
        </li>
      ))}
    </ol>
  );
}
