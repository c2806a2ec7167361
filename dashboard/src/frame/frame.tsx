import { Trans, useLingui } from '@lingui/react/macro';
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { Menu as MenuSign, X } from 'lucide-react';
import { lazy, Suspense, useEffect, useState } from 'react';
import { useQuestion } from '../api/proof.ts';
import { useLive } from '../live/use-live.ts';
import { IconButton } from '../parts/button.tsx';
import { Toaster } from '../parts/toast.tsx';
import { AwayBar } from './away-bar.tsx';
import { Keys } from './keys.tsx';
import { Mark } from './mark.tsx';
import { useMay } from './me.ts';
import type { NavigationEntry } from './navigation.ts';
import { TenantSwitch } from './tenant-switch.tsx';
import { UserMenu } from './user-menu.tsx';

const ProofDialog = lazy(() => import('./proof-dialog.tsx'));

/** What stands around every page: navigation, tenant, person; and what may come between: server away, session over. */
export function Frame({ entries }: { entries: NavigationEntry[] }) {
  const { t } = useLingui();
  const may = useMay();
  const question = useQuestion();
  useLive();
  const [isOpen, setOpen] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  useEffect(() => setOpen(false), [path]);
  const allowed = entries.filter((entry) => entry.permission === null || may(entry.permission));
  const Sign = isOpen ? X : MenuSign;
  return (
    <div className="flex min-h-dvh flex-col md:flex-row">
      <a
        href="#page"
        className="fixed top-2 left-2 z-60 -translate-y-16 rounded-base bg-primary px-3 py-1.5 text-on-primary focus:translate-y-0"
      >
        <Trans>Skip to the page</Trans>
      </a>
      <header className="flex shrink-0 flex-col border-b border-line bg-panel max-md:sticky max-md:top-0 max-md:z-30 md:sticky md:top-0 md:h-dvh md:w-56 md:border-r md:border-b-0">
        <div className="flex h-12 items-center gap-2 px-4">
          <Mark />
          <span className="grow" />
          <IconButton
            label={isOpen ? t`Close the navigation` : t`Open the navigation`}
            aria-expanded={isOpen}
            className="md:hidden"
            onClick={() => setOpen(!isOpen)}
          >
            <Sign size={18} aria-hidden />
          </IconButton>
        </div>
        <div className={`flex grow flex-col gap-3 px-2 pb-3 ${isOpen ? '' : 'max-md:hidden'}`}>
          <TenantSwitch />
          <Navigation entries={allowed} />
          <span className="grow" />
          <UserMenu />
        </div>
      </header>
      <div className="flex min-w-0 grow flex-col">
        <AwayBar />
        <main id="page" tabIndex={-1} className="grow outline-none">
          <Outlet />
        </main>
      </div>
      <Keys entries={allowed} />
      {question !== null && (
        <Suspense>
          <ProofDialog question={question} />
        </Suspense>
      )}
      <Toaster />
    </div>
  );
}

function Navigation({ entries }: { entries: NavigationEntry[] }) {
  const { t, i18n } = useLingui();
  return (
    <nav aria-label={t`Main`} className="flex flex-col gap-px">
      {entries.map(({ to, label, sign: Sign }) => (
        <Link
          key={to}
          to={to}
          className="flex h-8 items-center gap-2.5 rounded-base px-2 text-soft hover:bg-sunken hover:text-ink data-[status=active]:bg-sunken data-[status=active]:font-medium data-[status=active]:text-ink"
        >
          <Sign size={15} aria-hidden />
          {i18n._(label)}
        </Link>
      ))}
    </nav>
  );
}
