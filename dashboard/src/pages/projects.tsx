import { Trans, useLingui } from '@lingui/react/macro';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { Plus } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { given } from '../api/client.ts';
import { projectPages } from '../api/projects.ts';
import { useMay } from '../frame/me.ts';
import { Button } from '../parts/button.tsx';
import { Page } from '../parts/page.tsx';
import { useRows } from '../parts/rows.ts';
import { SearchBox } from '../parts/search.tsx';
import { Failure, Loading, NothingFits } from '../parts/states.tsx';
import { ProjectTable } from './projects/project-table.tsx';

const ProjectDialog = lazy(() => import('./projects/project-dialog.tsx'));

const route = getRouteApi('/frame/projects');

/** Groups of integrations and virtual keys, with their limits and their consent to the operator's key. */
export function ProjectsPage() {
  const { t } = useLingui();
  const may = useMay();
  const filter = route.useSearch();
  const navigate = route.useNavigate();
  const [isCreating, setCreating] = useState(false);
  const found = useInfiniteQuery(projectPages(filter));
  const { rows, onEnd } = useRows(found);
  return (
    <Page
      title={<Trans>Projects</Trans>}
      note={<Trans>A virtual key reaches the provider keys of its own project, and no others.</Trans>}
      actions={
        may('projects.create') && (
          <Button look="primary" onClick={() => setCreating(true)}>
            <Plus size={15} aria-hidden />
            <Trans>New project</Trans>
          </Button>
        )
      }
    >
      <div className="flex justify-end">
        <SearchBox
          label={t`Search by name`}
          value={filter.search ?? ''}
          onChange={(search) => void navigate({ search: given({ search }) })}
        />
      </div>
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading rows={3} />}
      {found.data !== undefined && rows.length === 0 && (
        <div className="rounded-large border border-line bg-panel">
          <NothingFits onShowAll={() => void navigate({ search: {} })} />
        </div>
      )}
      {rows.length > 0 && <ProjectTable rows={rows} onEnd={onEnd} />}
      {isCreating && (
        <Suspense>
          <ProjectDialog onClose={() => setCreating(false)} />
        </Suspense>
      )}
    </Page>
  );
}
