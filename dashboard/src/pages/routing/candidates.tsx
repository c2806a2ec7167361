import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Check, X } from 'lucide-react';
import { routing, type Candidate, type Wanted } from '../../api/routing.ts';
import { Failure, Loading } from '../../parts/states.tsx';
import { Time } from '../../parts/time.tsx';
import { CREDENTIAL } from '../../words/labels.ts';

interface Props {
  wanted: Wanted;
  /** Integration that the page is about. */
  integrationId?: string | null | undefined;
}

/** Who would serve such a call now, in the order of trying, and why not the others. */
export function Candidates({ wanted, integrationId }: Props) {
  const found = useQuery(routing(wanted));
  const judged = found.data;
  return (
    <div className="flex flex-col gap-2">
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading rows={2} />}
      {judged?.refusal && (
        <p className="rounded-base bg-bad-soft px-3 py-2 text-bad">
          <Trans>Nobody would serve it:</Trans> {judged.refusal.message}
        </p>
      )}
      {judged !== undefined && (
        <ol className="divide-y divide-line overflow-hidden rounded-large border border-line bg-panel">
          {judged.candidates.map((candidate, index) => (
            <Row
              key={candidate.integration_id ?? candidate.credential}
              candidate={candidate}
              isFirst={index === 0 && candidate.can_serve && !judged.refusal}
              isThis={integrationId !== undefined && candidate.integration_id === integrationId}
            />
          ))}
        </ol>
      )}
    </div>
  );
}

function Row({ candidate, isFirst, isThis }: { candidate: Candidate; isFirst: boolean; isThis: boolean }) {
  const { i18n, t } = useLingui();
  const { can_serve, credential, cools_until, integration_id, name, priority, refusal, weight } = candidate;
  const Sign = can_serve ? Check : X;
  return (
    <li className={`flex items-start gap-2.5 px-3 py-2 ${isThis ? 'bg-accent-soft' : ''}`}>
      <Sign
        size={15}
        role="img"
        aria-label={can_serve ? t`can serve` : t`cannot serve`}
        className={`mt-0.5 shrink-0 ${can_serve ? 'text-ok' : 'text-soft'}`}
      />
      <div className="min-w-0 grow">
        <p className="flex flex-wrap items-baseline gap-x-2">
          {typeof integration_id === 'string' && !isThis ? (
            <Link to="/integrations/$id" params={{ id: integration_id }} className="font-medium hover:underline">
              {name}
            </Link>
          ) : (
            <span className="font-medium">{name}</span>
          )}
          {credential === 'fallback' && <span className="text-small text-soft">{i18n._(CREDENTIAL.fallback)}</span>}
          {isFirst && (
            <span className="text-small font-medium text-ok">
              <Trans>would be asked first</Trans>
            </span>
          )}
        </p>
        {refusal && <p className="text-small text-soft">{refusal.message}</p>}
        {can_serve && cools_until && (
          <p className="text-small text-warn">
            <Trans>
              rests after an error, until <Time at={cools_until} />
            </Trans>
          </p>
        )}
      </div>
      {typeof priority === 'number' && (
        <span className="shrink-0 text-right text-small text-soft tabular-nums">
          <Trans>priority {priority}</Trans>
          <br />
          <Trans>weight {weight}</Trans>
        </span>
      )}
    </li>
  );
}
