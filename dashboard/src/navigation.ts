/** The pages in the navigation: their words, signs, permissions and letters. A page without a place here is found by links alone. */
import { msg } from '@lingui/core/macro';
import {
  Bot,
  Boxes,
  ChartColumn,
  History,
  KeyRound,
  LayoutDashboard,
  ListChecks,
  ScrollText,
  Settings,
  SquareTerminal,
  Ticket,
  Users,
} from 'lucide-react';
import type { NavigationEntry } from './frame/navigation.ts';

/** Pages in the navigation, in its order; `key` opens one after `g`. */
export const NAVIGATION: NavigationEntry[] = [
  { to: '/overview', label: msg`Overview`, sign: LayoutDashboard, permission: null, key: 'o' },
  { to: '/integrations', label: msg`Integrations`, sign: KeyRound, permission: 'integrations.read', key: 'i' },
  { to: '/virtual-keys', label: msg`Virtual keys`, sign: Ticket, permission: 'virtual_keys.read', key: 'v' },
  { to: '/usage', label: msg`Usage`, sign: ChartColumn, permission: 'usage.read', key: 'u' },
  { to: '/requests', label: msg`Requests`, sign: ScrollText, permission: 'requests.read', key: 'r' },
  { to: '/jobs', label: msg`Jobs`, sign: ListChecks, permission: 'operations.read', key: 'j' },
  { to: '/audit', label: msg`Audit`, sign: History, permission: 'audit.read', key: 'a' },
  { to: '/playground', label: msg`Playground`, sign: SquareTerminal, permission: null, key: 'y' },
  { to: '/projects', label: msg`Projects`, sign: Boxes, permission: 'projects.read', key: 'p' },
  { to: '/people', label: msg`People`, sign: Users, permission: 'members.read', key: 'm' },
  { to: '/services', label: msg`Services`, sign: Bot, permission: 'services.read', key: 's' },
  { to: '/settings', label: msg`Settings`, sign: Settings, permission: null, key: ',' },
];
