import { Trans, useLingui } from '@lingui/react/macro';
import { getRouteApi } from '@tanstack/react-router';
import { useMay } from '../frame/me.ts';
import { Choice } from '../parts/choice.tsx';
import { Page } from '../parts/page.tsx';
import { DeadLetters } from './jobs/dead-letters.tsx';
import { Operations } from './jobs/operations.tsx';

// By its address: the routes import this page.
const route = getRouteApi('/frame/jobs');

/** Work that commands and schedules have started, and messages that were given up. */
export function JobsPage() {
  const { t } = useLingui();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const may = useMay();
  const shown = search.show ?? 'operations';
  return (
    <Page
      title={<Trans>Jobs</Trans>}
      note={<Trans>Work that commands and schedules have started</Trans>}
      actions={
        may('dead_letters.read') && (
          <Choice
            label={t`Shown`}
            value={shown}
            options={[
              { value: 'operations', label: <Trans>Operations</Trans> },
              { value: 'dead-letters', label: <Trans>Dead letters</Trans> },
            ]}
            onChoose={(next) => void navigate({ search: next === 'operations' ? {} : { show: 'dead-letters' } })}
          />
        )
      }
    >
      {shown === 'operations' ? (
        <Operations search={search} onChange={(next) => void navigate({ search: next })} />
      ) : (
        <DeadLetters />
      )}
    </Page>
  );
}
