import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery } from '@tanstack/react-query';
import { auditBefore, type AuditEvent } from '../../api/audit.ts';
import { Id } from '../../parts/copy.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { Failure, Loading } from '../../parts/states.tsx';
import { AUDIT_OUTCOME } from '../../words/labels.ts';
import { circumstances, differences, type Difference } from './diff.ts';
import { ActorName } from './event-table.tsx';

/** One event, with each field before and after it. */
export default function EventDialog({ event, onClose }: { event: AuditEvent; onClose: () => void }) {
  const { i18n } = useLingui();
  const earlier = useQuery(auditBefore(event));
  const { changed, same } = differences(event, earlier.data ?? []);
  const exact = new Intl.DateTimeFormat(i18n.locale, { dateStyle: 'medium', timeStyle: 'long' });
  return (
    <Dialog
      isOpen
      title={<span className="font-mono">{event.action}</span>}
      description={exact.format(new Date(event.occurred_at))}
      onClose={onClose}
    >
      <div className="flex flex-col gap-4">
        <dl className="grid grid-cols-[6rem_minmax(0,1fr)] gap-x-3 gap-y-1">
          <dt className="text-soft">
            <Trans>Actor</Trans>
          </dt>
          <dd>
            <ActorName actor={event.actor} />
          </dd>
          <dt className="text-soft">
            <Trans>Target</Trans>
          </dt>
          <dd className="flex">
            <Id value={event.target} />
          </dd>
          <dt className="text-soft">
            <Trans>Outcome</Trans>
          </dt>
          <dd>{i18n._(AUDIT_OUTCOME[event.outcome])}</dd>
          {event.request_id && (
            <>
              <dt className="text-soft">
                <Trans>Request</Trans>
              </dt>
              <dd className="flex">
                <Id value={event.request_id} />
              </dd>
            </>
          )}
          {circumstances(event).map(([name, value]) => (
            <div key={name} className="contents">
              <dt className="font-mono text-small text-soft">{name}</dt>
              <dd className="font-mono text-small break-all">{value}</dd>
            </div>
          ))}
        </dl>
        <Failure error={earlier.error} onRetry={() => void earlier.refetch()} />
        {earlier.isPending ? <Loading rows={2} /> : <Fields rows={changed} />}
        {same.length > 0 && (
          <details>
            <summary className="w-fit text-soft select-none hover:text-ink">
              <Trans>Fields as before: {same.length}</Trans>
            </summary>
            <ul className="mt-1 flex flex-col gap-1 font-mono text-small text-soft">
              {same.map(({ field, after }) => (
                <li key={field} className="break-all">
                  {field}: {after}
                </li>
              ))}
            </ul>
          </details>
        )}
      </div>
    </Dialog>
  );
}

function Fields({ rows }: { rows: Difference[] }) {
  if (rows.length === 0) {
    return (
      <p className="text-soft">
        <Trans>It made no field different.</Trans>
      </p>
    );
  }
  return (
    <ul className="divide-y divide-line overflow-hidden rounded-base border border-line font-mono text-small">
      {rows.map(({ field, before, after }) => (
        <li key={field}>
          <p className="bg-sunken px-2.5 py-1">{field}</p>
          <p className="flex gap-2 bg-bad-soft px-2.5 py-1 text-bad">
            <span aria-hidden>−</span>
            <span className="sr-only">
              <Trans>before:</Trans>
            </span>
            <span className="break-all">{before ?? <Trans>not in the log</Trans>}</span>
          </p>
          <p className="flex gap-2 bg-ok-soft px-2.5 py-1 text-ok">
            <span aria-hidden>+</span>
            <span className="sr-only">
              <Trans>after:</Trans>
            </span>
            <span className="break-all">{after}</span>
          </p>
        </li>
      ))}
    </ul>
  );
}
