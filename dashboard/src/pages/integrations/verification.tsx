import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Check, LoaderCircle, X } from 'lucide-react';
import { useEffect, type ReactNode } from 'react';
import { hasEnded, integration, operation } from '../../api/integrations.ts';
import { Failure } from '../../parts/states.tsx';
import { VERDICT } from '../../words/labels.ts';
import { IntegrationStatusBadge } from './integration-status.tsx';

interface Props {
  integrationId: string;
  operationId: string;
}

/** Steps of a verification as they happen, and at its end the verdict with its evidence. */
export function Verification({ integrationId, operationId }: Props) {
  const { i18n, t } = useLingui();
  const queryClient = useQueryClient();
  const work = useQuery(operation(operationId));
  const isOver = work.data !== undefined && hasEnded(work.data);
  const row = useQuery({ ...integration(integrationId), enabled: isOver });
  useEffect(() => {
    if (isOver) void queryClient.invalidateQueries({ queryKey: ['integrations'] });
  }, [isOver, queryClient]);
  const { state, attempt = 1, error } = work.data ?? {};
  const begun = state !== undefined && state !== 'queued';
  // A refused replacement is told by itself: the integration keeps the verdict of the key that it keeps.
  const verdict = row.data?.replacement?.verdict ?? row.data?.verdict;
  const isRefused = row.data?.replacement?.state === 'refused';
  return (
    <div className="flex flex-col gap-4">
      <ol aria-label={t`Verification`} aria-live="polite" className="flex flex-col gap-2.5">
        <Step state="done">
          <Trans>Sealed and stored</Trans>
        </Step>
        <Step state={begun ? 'done' : 'now'}>
          <Trans>Handed to a worker</Trans>
        </Step>
        <Step state={isOver ? 'done' : begun ? 'now' : 'later'}>
          <Trans>The provider is asked</Trans>
          {attempt > 1 && (
            <span className="text-soft">
              {' '}
              <Trans>(attempt {attempt})</Trans>
            </span>
          )}
        </Step>
        <Step
          state={
            isOver
              ? row.data === undefined
                ? 'now'
                : row.data.status === 'error' || isRefused
                  ? 'wrong'
                  : 'done'
              : 'later'
          }
        >
          <Trans>Verdict</Trans>
        </Step>
      </ol>
      {!isOver && error && <p className="text-small text-warn">{error.message}</p>}
      {isOver && row.data !== undefined && (
        <div className="flex flex-col gap-2 rounded-base border border-line bg-page p-3">
          <div className="flex items-center gap-2">
            <IntegrationStatusBadge status={row.data.status} />
            {verdict && <span className="font-medium">{i18n._(VERDICT[verdict.kind])}</span>}
          </div>
          {isRefused && <p>{t`The new key was refused and is not kept. The present one goes on.`}</p>}
          {verdict && <p className="text-soft">{verdict.reason}</p>}
          {verdict && (
            <p className="flex flex-wrap gap-x-3 font-mono text-tiny break-all text-soft">
              {typeof verdict.http_status === 'number' && <span>HTTP {verdict.http_status}</span>}
              {verdict.request_id && <span>{verdict.request_id}</span>}
            </p>
          )}
        </div>
      )}
      <Failure error={work.error ?? row.error} />
    </div>
  );
}

type StepState = 'done' | 'now' | 'later' | 'wrong';

const SIGNS: Record<StepState, ReactNode> = {
  done: <Check size={14} aria-hidden className="text-ok" />,
  now: <LoaderCircle size={14} aria-hidden className="animate-spin text-accent" />,
  later: <span aria-hidden className="size-1.5 rounded-full bg-edge" />,
  wrong: <X size={14} aria-hidden className="text-bad" />,
};

function Step({ state, children }: { state: StepState; children: ReactNode }) {
  return (
    <li
      className={`flex items-center gap-2.5 ${state === 'later' ? 'text-soft' : ''}`}
      aria-current={state === 'now' ? 'step' : undefined}
    >
      <span className="flex size-4 items-center justify-center">{SIGNS[state]}</span>
      <span>{children}</span>
    </li>
  );
}
