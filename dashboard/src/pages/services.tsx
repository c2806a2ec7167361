import { Trans, useLingui } from '@lingui/react/macro';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Plus } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { services } from '../api/services.ts';
import { useMay } from '../frame/me.ts';
import { Button } from '../parts/button.tsx';
import { Page } from '../parts/page.tsx';
import { useRows } from '../parts/rows.ts';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { ServiceTable } from './services/service-table.tsx';

const CreateDialog = lazy(() => import('./services/create-dialog.tsx'));

/** Programs that call the management API, each with a token and permissions of its own. */
export function ServicesPage() {
  const { t } = useLingui();
  const may = useMay();
  const [isCreating, setCreating] = useState(false);
  const found = useInfiniteQuery(services);
  const { rows, onEnd } = useRows(found);
  const create = may('services.create') && (
    <Button look="primary" onClick={() => setCreating(true)}>
      <Plus size={15} aria-hidden />
      <Trans>New service</Trans>
    </Button>
  );
  return (
    <Page
      title={<Trans>Services</Trans>}
      note={<Trans>Programs that call the management API: scripts and pipelines.</Trans>}
      actions={create}
    >
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading rows={3} />}
      {found.data !== undefined && rows.length === 0 && (
        <div className="rounded-large border border-line bg-panel">
          <Empty title={t`No service yet`}>
            <p>
              <Trans>A service may do no more than who made it, and ends with that person's membership.</Trans>
            </p>
            {create}
          </Empty>
        </div>
      )}
      {rows.length > 0 && <ServiceTable rows={rows} onEnd={onEnd} />}
      {isCreating && (
        <Suspense>
          <CreateDialog onClose={() => setCreating(false)} />
        </Suspense>
      )}
    </Page>
  );
}
