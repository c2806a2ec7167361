import { Trans, useLingui } from '@lingui/react/macro';
import { lazy, Suspense, useState } from 'react';
import type { Actor, AuditEvent } from '../../api/audit.ts';
import { useNames } from '../../api/names.ts';
import { useMe } from '../../frame/me.ts';
import { StatusBadge } from '../../parts/status.tsx';
import { Table, type Column } from '../../parts/table.tsx';
import { Time } from '../../parts/time.tsx';
import { ACTOR_TYPE, AUDIT_OUTCOME } from '../../words/labels.ts';

const EventDialog = lazy(() => import('./event-dialog.tsx'));

interface Props {
  rows: AuditEvent[];
  /** Left out where all rows are about one. */
  hasTarget: boolean;
  onEnd?: (() => void) | undefined;
}

/** Events of the audit log; each opens with what it made different. */
export function EventTable({ rows, hasTarget, onEnd }: Props) {
  const { t, i18n } = useLingui();
  const [open, setOpen] = useState<AuditEvent | null>(null);
  const nameOf = useTargetNames(rows);
  const columns: Column<AuditEvent>[] = [
    {
      id: 'action',
      head: <Trans>Action</Trans>,
      cell: (row) => (
        <button
          type="button"
          className="block max-w-72 truncate font-mono text-small text-accent hover:underline max-md:max-w-44"
          onClick={() => setOpen(row)}
        >
          {row.action}
        </button>
      ),
    },
    { id: 'time', head: <Trans>Time</Trans>, cell: (row) => <Time at={row.occurred_at} /> },
    {
      id: 'actor',
      head: <Trans>Actor</Trans>,
      isExtra: true,
      cell: (row) => <ActorName actor={row.actor} />,
    },
    {
      id: 'outcome',
      head: <Trans>Outcome</Trans>,
      isExtra: true,
      cell: ({ outcome }) => (
        <StatusBadge tone={outcome === 'success' ? 'ok' : 'bad'}>{i18n._(AUDIT_OUTCOME[outcome])}</StatusBadge>
      ),
    },
  ];
  if (hasTarget) {
    columns.splice(3, 0, {
      id: 'target',
      head: <Trans>Target</Trans>,
      isExtra: true,
      cell: ({ target }) => (
        <span className="block max-w-60 truncate" title={target}>
          {nameOf(target)}
        </span>
      ),
    });
  }
  return (
    <>
      <Table label={t`Events`} columns={columns} rows={rows} idOf={(row) => row.id} onEnd={onEnd} />
      {open !== null && (
        <Suspense>
          <EventDialog event={open} onClose={() => setOpen(null)} />
        </Suspense>
      )}
    </>
  );
}

function useTargetNames(rows: AuditEvent[]): (id: string) => string {
  const targets = rows.map(({ target }) => target);
  const of = (prefix: string) => targets.filter((id) => id.startsWith(prefix));
  const integration = useNames('integration', of('int_'));
  const key = useNames('virtual_key', of('vk_'));
  const project = useNames('project', of('prj_'));
  return (id) => {
    if (id.startsWith('int_')) return integration(id);
    if (id.startsWith('vk_')) return key(id);
    return id.startsWith('prj_') ? project(id) : id;
  };
}

/** Who acted: a person, a program, or a part of Keyway. */
export function ActorName({ actor }: { actor: Actor }) {
  const { i18n, t } = useLingui();
  const { user } = useMe();
  const detail = actor.id !== undefined && actor.id === user?.id ? t`you` : (actor.part ?? actor.id);
  return (
    <span className="block max-w-56 truncate" title={actor.id}>
      {i18n._(ACTOR_TYPE[actor.type])} {detail !== undefined && <span className="text-soft">{detail}</span>}
    </span>
  );
}
