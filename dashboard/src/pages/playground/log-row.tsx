import { Trans } from '@lingui/react/macro';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { ApiError } from '../../api/client.ts';
import { call } from '../../api/requests.ts';
import { Failure, Loading } from '../../parts/states.tsx';
import { CallFacts } from '../requests/facts.tsx';
import { Times } from '../requests/times.tsx';

const LOOK_MS = 1_000;
const MAX_LOOKS = 60;

/** Row of the request log. It comes some seconds after the call has ended. */
export function LogRow({ id }: { id: string }) {
  const found = useQuery({
    ...call(id),
    retry: false,
    refetchInterval: ({ state }) => (state.data === undefined && state.errorUpdateCount < MAX_LOOKS ? LOOK_MS : false),
  });
  const isAwaited = found.error instanceof ApiError && found.error.status === 404;
  if (found.data === undefined) {
    return (
      <>
        <p role="status" className="text-soft">
          <Trans>The log has it in some seconds…</Trans>
        </p>
        {isAwaited ? null : <Failure error={found.error} />}
        <Loading rows={4} />
      </>
    );
  }
  return (
    <div className="flex flex-col gap-4">
      <CallFacts call={found.data} />
      <Times call={found.data} />
      <Link to="/requests/$id" params={{ id }} className="w-fit text-accent underline">
        <Trans>Open it in the log</Trans>
      </Link>
    </div>
  );
}
