/** What the audit log reads of its address. Whatever is not known is dropped. */
import type { ActorType } from '../../api/audit.ts';

export const ACTORS: ActorType[] = ['user', 'service', 'virtual_key', 'admin', 'system'];

export interface AuditSearch {
  action?: string;
  target?: string;
  actor_type?: ActorType;
  /** First and last day of UTC, both among them. */
  from?: string;
  until?: string;
}

const FORMS = {
  action: /^[a-z_]{1,40}\.[a-z_]{1,60}$/,
  target: /^[a-z]+_[0-9a-f]{32}$/,
  from: /^\d{4}-\d\d-\d\d$/,
  until: /^\d{4}-\d\d-\d\d$/,
} as const;

export function auditSearch(search: Record<string, unknown>): AuditSearch {
  const found = Object.entries(FORMS).filter(([name, form]) => {
    const value = search[name];
    const isDay = name === 'from' || name === 'until';
    return typeof value === 'string' && form.test(value) && !(isDay && Number.isNaN(Date.parse(value)));
  });
  const actor_type = ACTORS.find((known) => known === search.actor_type);
  const texts = Object.fromEntries(found.map(([name]) => [name, search[name]])) as AuditSearch;
  return { ...texts, ...(actor_type && { actor_type }) };
}
