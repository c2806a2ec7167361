import { Trans, useLingui } from '@lingui/react/macro';
import type { Schemas } from '../../api/client.ts';
import { Time } from '../../parts/time.tsx';
import { VERDICT } from '../../words/labels.ts';

type Verdict = Schemas['HistoryView'];
type Detail = Schemas['IntegrationDetail'];

/** What the provider said of the key, each time it was asked, and when it is asked next. */
export function Timeline({ row }: { row: Detail }) {
  const { t } = useLingui();
  return (
    <ol aria-label={t`Verdicts`} className="flex flex-col">
      {row.next_check_at && (
        <li className="relative flex gap-3 pb-4 pl-6 text-soft">
          <Dot className="border border-edge bg-panel" />
          <p>
            <Trans>
              Next check <Time at={row.next_check_at} />
            </Trans>
          </p>
        </li>
      )}
      {row.history.map((verdict) => (
        <Entry key={`${verdict.operation_id} ${verdict.attempt} ${verdict.checked_at}`} verdict={verdict} />
      ))}
      {row.history.length === 0 && (
        <li className="pl-6 text-soft">
          <Trans>No verdict yet</Trans>
        </li>
      )}
    </ol>
  );
}

function Dot({ className }: { className: string }) {
  return (
    <>
      <span aria-hidden className="absolute top-2 bottom-[-0.5rem] left-1 w-px bg-line group-last:hidden" />
      <span aria-hidden className={`absolute top-1.5 left-0 size-2.25 rounded-full ${className}`} />
    </>
  );
}

function Entry({ verdict }: { verdict: Verdict }) {
  const { i18n } = useLingui();
  const { attempt, checked_at, code, http_status, kind, reason, request_id, secret_version } = verdict;
  return (
    <li className="group relative pb-4 pl-6 last:pb-0">
      <Dot className={kind === 'valid' ? 'bg-ok' : kind === 'rate_limited' ? 'bg-warn' : 'bg-bad'} />
      <p className="flex flex-wrap items-baseline gap-x-2">
        <span className="font-medium">{i18n._(VERDICT[kind])}</span>
        <span className="text-small text-soft">
          <Time at={checked_at} />
        </span>
      </p>
      <p className="text-soft">{reason}</p>
      <p className="flex flex-wrap gap-x-3 font-mono text-tiny break-all text-soft">
        {typeof http_status === 'number' && <span>HTTP {http_status}</span>}
        {code && <span>{code}</span>}
        {request_id && <span>{request_id}</span>}
        <span>
          <Trans>attempt {attempt}</Trans>
        </span>
        <span>
          <Trans>key no. {secret_version}</Trans>
        </span>
      </p>
    </li>
  );
}
