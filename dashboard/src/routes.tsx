/** The one list of pages: their addresses, what is read of an address, their places in the navigation. */
import { msg } from '@lingui/core/macro';
import { QueryClient } from '@tanstack/react-query';
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router';
import { Bot, Boxes, KeyRound, LayoutDashboard, Settings, Ticket, Users } from 'lucide-react';
import { isWorthAnotherTry } from './api/client.ts';
import { integrations, type IntegrationFilter, type IntegrationStatus } from './api/integrations.ts';
import { projectPages, type ProjectFilter } from './api/projects.ts';
import { me } from './api/session.ts';
import { virtualKeys, type VirtualKeyFilter } from './api/virtual-keys.ts';
import { Frame } from './frame/frame.tsx';
import { Lost } from './frame/lost.tsx';
import type { NavigationEntry } from './frame/navigation.ts';
import { RouteFailure } from './frame/route-failure.tsx';

/** Pages in the navigation, in its order; `key` opens one after `g`. */
const NAVIGATION: NavigationEntry[] = [
  { to: '/overview', label: msg`Overview`, sign: LayoutDashboard, permission: null, key: 'o' },
  { to: '/integrations', label: msg`Integrations`, sign: KeyRound, permission: 'integrations.read', key: 'i' },
  { to: '/virtual-keys', label: msg`Virtual keys`, sign: Ticket, permission: 'virtual_keys.read', key: 'v' },
  { to: '/projects', label: msg`Projects`, sign: Boxes, permission: 'projects.read', key: 'p' },
  { to: '/people', label: msg`People`, sign: Users, permission: 'members.read', key: 'm' },
  { to: '/services', label: msg`Services`, sign: Bot, permission: 'services.read', key: 's' },
  { to: '/settings', label: msg`Settings`, sign: Settings, permission: null, key: ',' },
];

export const queryClient = new QueryClient({
  defaultOptions: { queries: { staleTime: 10_000, retry: isWorthAnotherTry } },
});

const root = createRootRouteWithContext<{ queryClient: QueryClient }>()({ component: Outlet, notFoundComponent: Lost });

const setUp = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  component: lazyRouteComponent(() => import('./pages/set-up.tsx'), 'SetUpPage'),
});

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  // Only a path of our own: the address may have been written by anybody.
  validateSearch: ({ next }: Record<string, unknown>): { next?: string } =>
    typeof next === 'string' && /^\/(?![/\\])/.test(next) ? { next } : {},
  component: lazyRouteComponent(() => import('./pages/sign-in.tsx'), 'SignInPage'),
});

const invite = createRoute({
  getParentRoute: () => root,
  path: '/invite',
  component: lazyRouteComponent(() => import('./pages/invite.tsx'), 'InvitePage'),
});

/** Every page for people who have signed in is a child of this one. */
const frame = createRoute({
  getParentRoute: () => root,
  id: 'frame',
  beforeLoad: async ({ context, location }) => {
    const who = await context.queryClient.ensureQueryData(me);
    if (who?.principal !== 'user') throw redirect({ to: '/sign-in', search: { next: location.href } });
  },
  component: () => <Frame entries={NAVIGATION} />,
  notFoundComponent: Lost,
});

const home = createRoute({
  getParentRoute: () => frame,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/overview', replace: true });
  },
});

const overviewPage = createRoute({
  getParentRoute: () => frame,
  path: '/overview',
  component: lazyRouteComponent(() => import('./pages/overview.tsx'), 'OverviewPage'),
});

const STATUSES: IntegrationStatus[] = ['verifying', 'connected', 'error', 'disabled'];

const integrationsPage = createRoute({
  getParentRoute: () => frame,
  path: '/integrations',
  // What is not known is dropped.
  validateSearch: (search: Record<string, unknown>): IntegrationFilter => {
    const status = STATUSES.find((known) => known === search.status);
    return { ...(status && { status }), ...texts(search, ['provider', 'project_id', 'search']) };
  },
  loaderDeps: ({ search }) => search,
  // Not awaited: the page shows its frame at once.
  loader: ({ context, deps }) => void context.queryClient.prefetchInfiniteQuery(integrations(deps)),
  component: lazyRouteComponent(() => import('./pages/integrations.tsx'), 'IntegrationsPage'),
});

const virtualKeysPage = createRoute({
  getParentRoute: () => frame,
  path: '/virtual-keys',
  validateSearch: (search: Record<string, unknown>): VirtualKeyFilter => texts(search, ['project_id', 'search']),
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => void context.queryClient.prefetchInfiniteQuery(virtualKeys(deps)),
  component: lazyRouteComponent(() => import('./pages/virtual-keys.tsx'), 'VirtualKeysPage'),
});

const projectsPage = createRoute({
  getParentRoute: () => frame,
  path: '/projects',
  validateSearch: (search: Record<string, unknown>): ProjectFilter => texts(search, ['search']),
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => void context.queryClient.prefetchInfiniteQuery(projectPages(deps)),
  component: lazyRouteComponent(() => import('./pages/projects.tsx'), 'ProjectsPage'),
});

const peoplePage = createRoute({
  getParentRoute: () => frame,
  path: '/people',
  component: lazyRouteComponent(() => import('./pages/people.tsx'), 'PeoplePage'),
});

const servicesPage = createRoute({
  getParentRoute: () => frame,
  path: '/services',
  component: lazyRouteComponent(() => import('./pages/services.tsx'), 'ServicesPage'),
});

const settingsPage = createRoute({
  getParentRoute: () => frame,
  path: '/settings',
  component: lazyRouteComponent(() => import('./pages/settings.tsx'), 'SettingsPage'),
});

/** Takes those parameters of an address that are texts. A name made of digits is read as a number. */
function texts<K extends string>(search: Record<string, unknown>, names: K[]): { [N in K]?: string } {
  const found = names.flatMap((name) => {
    const value = search[name];
    const isText = typeof value === 'number' || (typeof value === 'string' && value !== '');
    return isText ? [[name, String(value).slice(0, 100)]] : [];
  });
  return Object.fromEntries(found) as { [N in K]?: string };
}

export const router = createRouter({
  routeTree: root.addChildren([
    setUp,
    signIn,
    invite,
    frame.addChildren([
      home,
      overviewPage,
      integrationsPage,
      virtualKeysPage,
      projectsPage,
      peoplePage,
      servicesPage,
      settingsPage,
    ]),
  ]),
  context: { queryClient },
  defaultPreload: 'intent',
  defaultPreloadStaleTime: 0,
  defaultErrorComponent: RouteFailure,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
