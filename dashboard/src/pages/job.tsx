import { Trans, useLingui } from '@lingui/react/macro';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { ArrowLeft } from 'lucide-react';
import { useCallback, type ReactNode } from 'react';
import { operation, type Operation } from '../api/integrations.ts';
import { useNames } from '../api/names.ts';
import { operations } from '../api/operations.ts';
import { Id } from '../parts/copy.tsx';
import { Page } from '../parts/page.tsx';
import { Failure, Loading } from '../parts/states.tsx';
import { Time } from '../parts/time.tsx';
import { OPERATION_KIND, OPERATION_ORIGIN } from '../words/labels.ts';
import { OperationMenu } from './jobs/operation-menu.tsx';
import { Progress } from './jobs/operation-state.tsx';
import { OperationTable } from './jobs/operation-table.tsx';
import { StateMachine } from './jobs/state-machine.tsx';

// By its address: the routes import this page.
const route = getRouteApi('/frame/jobs/$id');

/** One operation: its states, attempts and children. */
export function JobPage() {
  const { t, i18n } = useLingui();
  const { id } = route.useParams();
  const found = useQuery(operation(id));
  const row = found.data;
  return (
    <Page
      title={row === undefined ? t`Operation` : i18n._(OPERATION_KIND[row.kind])}
      note={
        <Link to="/jobs" className="inline-flex items-center gap-1 hover:underline">
          <ArrowLeft size={13} aria-hidden />
          <Trans>Jobs</Trans>
        </Link>
      }
      actions={row !== undefined && <OperationMenu row={row} />}
    >
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading />}
      {row !== undefined && (
        <>
          <StateMachine row={row} />
          <Facts row={row} />
          {row.kind === 'plan_usage' && <Children parentId={row.id} />}
        </>
      )}
    </Page>
  );
}

function Facts({ row }: { row: Operation }) {
  const { i18n } = useLingui();
  const nameOf = useNames('integration', [row.integration_id]);
  const unanswered = row.unanswered ?? [];
  return (
    <dl className="divide-y divide-line rounded-large border border-line bg-panel">
      <Fact label={<Trans>Id</Trans>}>
        <Id value={row.id} />
      </Fact>
      <Fact label={<Trans>Begun</Trans>}>{i18n._(OPERATION_ORIGIN[row.origin])}</Fact>
      {row.parent_id && (
        <Fact label={<Trans>Part of</Trans>}>
          <Link
            to="/jobs/$id"
            params={{ id: row.parent_id }}
            className="block truncate font-mono text-small text-accent underline"
          >
            {row.parent_id}
          </Link>
        </Fact>
      )}
      {row.integration_id && (
        <Fact label={<Trans>Integration</Trans>}>
          <Link to="/integrations/$id" params={{ id: row.integration_id }} className="text-accent underline">
            {nameOf(row.integration_id)}
          </Link>
        </Fact>
      )}
      <Fact label={<Trans>Attempt</Trans>}>{row.attempt}</Fact>
      {row.due_at && (
        <Fact label={<Trans>Next due</Trans>}>
          <Time at={row.due_at} />
        </Fact>
      )}
      {typeof row.total === 'number' && (
        <Fact label={row.kind === 'revoke' ? <Trans>Replicas</Trans> : <Trans>Children</Trans>}>
          <Progress row={row} />
        </Fact>
      )}
      {unanswered.length > 0 && (
        <Fact label={<Trans>Not acknowledged by</Trans>}>
          <ul className="font-mono text-small break-all">
            {unanswered.map((replica) => (
              <li key={replica}>{replica}</li>
            ))}
          </ul>
        </Fact>
      )}
      {row.error && (
        <Fact label={<Trans>Last error</Trans>}>
          <span className="font-mono text-small text-bad">{row.error.code}</span> {row.error.message}
        </Fact>
      )}
    </dl>
  );
}

function Fact({ label, children }: { label: ReactNode; children: ReactNode }) {
  return (
    <div className="grid grid-cols-[9rem_minmax(0,1fr)] gap-x-3 px-3 py-2 max-md:grid-cols-[6.5rem_minmax(0,1fr)]">
      <dt className="text-soft">{label}</dt>
      <dd className="min-w-0">{children}</dd>
    </div>
  );
}

/** Operations that a fan-out has begun. */
function Children({ parentId }: { parentId: string }) {
  const { t } = useLingui();
  const found = useInfiniteQuery(operations({ parent_id: parentId }));
  const rows = found.data?.pages.flatMap((page) => page.items) ?? [];
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = found;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  return (
    <section aria-labelledby="children" className="flex flex-col gap-2">
      <h2 id="children" className="text-large font-semibold">
        <Trans>Children</Trans>
      </h2>
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading rows={3} />}
      {rows.length > 0 && <OperationTable label={t`Children`} rows={rows} onEnd={hasNextPage ? onEnd : undefined} />}
    </section>
  );
}
