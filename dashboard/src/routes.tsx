/** The one list of pages: their addresses, and what is read of an address. */
import { QueryClient } from '@tanstack/react-query';
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router';
import { isWorthAnotherTry } from './api/client.ts';
import { integrations, type IntegrationFilter, type IntegrationStatus } from './api/integrations.ts';
import { projectPages, type ProjectFilter } from './api/projects.ts';
import { me } from './api/session.ts';
import { virtualKeys, type VirtualKeyFilter } from './api/virtual-keys.ts';
import { Frame } from './frame/frame.tsx';
import { Lost } from './frame/lost.tsx';
import { RouteFailure } from './frame/route-failure.tsx';
import { NAVIGATION } from './navigation.ts';
import { auditSearch } from './pages/audit/search.ts';
import { jobSearch } from './pages/jobs/search.ts';
import { callSearch } from './pages/requests/search.ts';
import { usageSearch } from './pages/usage/search.ts';

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

const reset = createRoute({
  getParentRoute: () => root,
  path: '/reset',
  component: lazyRouteComponent(() => import('./pages/reset.tsx'), 'ResetPage'),
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

const usagePage = createRoute({
  getParentRoute: () => frame,
  path: '/usage',
  validateSearch: usageSearch,
  component: lazyRouteComponent(() => import('./pages/usage.tsx'), 'UsagePage'),
});

const requestsPage = createRoute({
  getParentRoute: () => frame,
  path: '/requests',
  validateSearch: callSearch,
  component: lazyRouteComponent(() => import('./pages/requests.tsx'), 'RequestsPage'),
});

const requestPage = createRoute({
  getParentRoute: () => frame,
  path: '/requests/$id',
  component: lazyRouteComponent(() => import('./pages/request.tsx'), 'RequestPage'),
});

const integrationPage = createRoute({
  getParentRoute: () => frame,
  path: '/integrations/$id',
  component: lazyRouteComponent(() => import('./pages/integration.tsx'), 'IntegrationPage'),
});

const auditPage = createRoute({
  getParentRoute: () => frame,
  path: '/audit',
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import('./pages/audit.tsx'), 'AuditPage'),
});

const jobsPage = createRoute({
  getParentRoute: () => frame,
  path: '/jobs',
  validateSearch: jobSearch,
  component: lazyRouteComponent(() => import('./pages/jobs.tsx'), 'JobsPage'),
});

const jobPage = createRoute({
  getParentRoute: () => frame,
  path: '/jobs/$id',
  component: lazyRouteComponent(() => import('./pages/job.tsx'), 'JobPage'),
});

const playgroundPage = createRoute({
  getParentRoute: () => frame,
  path: '/playground',
  component: lazyRouteComponent(() => import('./pages/playground.tsx'), 'PlaygroundPage'),
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
    reset,
    frame.addChildren([
      home,
      overviewPage,
      integrationsPage,
      integrationPage,
      virtualKeysPage,
      usagePage,
      requestsPage,
      requestPage,
      jobsPage,
      jobPage,
      auditPage,
      playgroundPage,
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
