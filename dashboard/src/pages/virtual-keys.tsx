import { Trans, useLingui } from '@lingui/react/macro';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { Plug, Plus } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { given } from '../api/client.ts';
import { projects } from '../api/integrations.ts';
import { virtualKeys, type VirtualKeyFilter } from '../api/virtual-keys.ts';
import { useMay } from '../frame/me.ts';
import { Button } from '../parts/button.tsx';
import { Select } from '../parts/field.tsx';
import { Page } from '../parts/page.tsx';
import { useRows } from '../parts/rows.ts';
import { SearchBox } from '../parts/search.tsx';
import { Empty, Failure, Loading, NothingFits } from '../parts/states.tsx';
import { KeyTable } from './virtual-keys/key-table.tsx';

const CreateDialog = lazy(() =>
  import('./virtual-keys/key-dialog.tsx').then((dialogs) => ({ default: dialogs.CreateDialog })),
);
const ConnectDialog = lazy(() => import('./virtual-keys/connect-dialog.tsx'));

const route = getRouteApi('/frame/virtual-keys');

/** Keys of applications: their limits, what they spent, and how an application is connected. */
export function VirtualKeysPage() {
  const { t } = useLingui();
  const filter = route.useSearch();
  const navigate = route.useNavigate();
  const may = useMay();
  const [open, setOpen] = useState<'create' | 'connect' | null>(null);
  const found = useInfiniteQuery(virtualKeys(filter));
  const own = useQuery(projects).data ?? [];
  const { rows, onEnd } = useRows(found);
  const isFiltered = Object.keys(filter).length > 0;
  const set = (change: VirtualKeyFilter) => void navigate({ search: given({ ...filter, ...change }) });
  const close = () => setOpen(null);
  const create = may('virtual_keys.create') && (
    <Button look="primary" onClick={() => setOpen('create')}>
      <Plus size={15} aria-hidden />
      <Trans>New virtual key</Trans>
    </Button>
  );

  return (
    <Page
      title={<Trans>Virtual keys</Trans>}
      note={<Trans>Applications call Keyway with them, and never hold a provider key.</Trans>}
      actions={
        <>
          <Button onClick={() => setOpen('connect')}>
            <Plug size={15} aria-hidden />
            <Trans>Connect</Trans>
          </Button>
          {create}
        </>
      }
    >
      <div className="flex flex-wrap items-center justify-end gap-2">
        {own.length > 1 && (
          <Select
            aria-label={t`Project`}
            value={filter.project_id ?? ''}
            onChange={(event) => set({ project_id: event.target.value })}
          >
            <option value="">{t`All projects`}</option>
            {own.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </Select>
        )}
        <SearchBox label={t`Search by name`} value={filter.search ?? ''} onChange={(search) => set({ search })} />
      </div>
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading />}
      {found.data !== undefined && rows.length === 0 && (
        <div className="rounded-large border border-line bg-panel">
          {isFiltered ? (
            <NothingFits onShowAll={() => void navigate({ search: {} })} />
          ) : (
            <Empty title={t`No virtual key yet`}>
              <p>
                <Trans>Create one for each application: each has limits of its own, and is revoked by itself.</Trans>
              </p>
              {create}
            </Empty>
          )}
        </div>
      )}
      {rows.length > 0 && <KeyTable rows={rows} onEnd={onEnd} />}
      <Suspense>
        {open === 'create' && <CreateDialog onClose={close} />}
        {open === 'connect' && <ConnectDialog onClose={close} />}
      </Suspense>
    </Page>
  );
}
