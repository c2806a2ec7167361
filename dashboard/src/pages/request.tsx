import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { ArrowLeft } from 'lucide-react';
import { call } from '../api/requests.ts';
import { useMay } from '../frame/me.ts';
import { CopyButton } from '../parts/copy.tsx';
import { Page } from '../parts/page.tsx';
import { Failure, Loading } from '../parts/states.tsx';
import { writeCurl } from './requests/curl.ts';
import { CallFacts } from './requests/facts.tsx';
import { Times } from './requests/times.tsx';
import { Candidates } from './routing/candidates.tsx';

// By its address: the routes import this page.
const route = getRouteApi('/frame/requests/$id');

/** One call: where it went and why, its times and figures, and a line that makes it once more. */
export function RequestPage() {
  const { t } = useLingui();
  const may = useMay();
  const { id } = route.useParams();
  const found = useQuery(call(id));
  const row = found.data;
  const curl = row && writeCurl(row, location.origin);
  const wanted = row && {
    project_id: row.project_id,
    ...(row.provider ? { provider: row.provider } : {}),
    ...(row.model ? { model: row.model } : {}),
  };
  return (
    <Page
      title={row?.model ?? row?.path ?? t`Request`}
      note={
        <Link to="/requests" className="inline-flex items-center gap-1 hover:underline">
          <ArrowLeft size={13} aria-hidden />
          <Trans>Requests</Trans>
        </Link>
      }
    >
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading />}
      {row !== undefined && (
        <div className="grid items-start gap-5 lg:grid-cols-2">
          <div className="min-w-0">
            <CallFacts call={row} />
          </div>
          <div className="flex min-w-0 flex-col gap-5">
            <section aria-labelledby="times" className="flex flex-col gap-2">
              <h2 id="times" className="text-large font-semibold">
                <Trans>Times</Trans>
              </h2>
              <Times call={row} />
            </section>
            <section aria-labelledby="again" className="flex flex-col gap-2">
              <h2 id="again" className="flex items-center gap-1 text-large font-semibold">
                <Trans>Once more</Trans>
                <CopyButton text={curl ?? ''} label={t`Copy as curl`} />
              </h2>
              <p className="text-soft">
                <Trans>Put a virtual key into VIRTUAL_KEY and a body into body.json: Keyway keeps neither.</Trans>
              </p>
              <pre className="rounded-large border border-line bg-sunken p-3 font-mono text-small break-all whitespace-pre-wrap">
                {curl}
              </pre>
            </section>
            {may('routing.read') && wanted && (wanted.provider ?? wanted.model) !== undefined && (
              <section aria-labelledby="routing" className="flex flex-col gap-2">
                <h2 id="routing" className="text-large font-semibold">
                  <Trans>Who would serve it now</Trans>
                </h2>
                <Candidates wanted={wanted} integrationId={row.integration_id} />
              </section>
            )}
          </div>
        </div>
      )}
    </Page>
  );
}
