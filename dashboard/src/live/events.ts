/** What the server tells of: what changed, never the thing itself. */
export type Kind = 'status' | 'operation' | 'request' | 'audit' | 'ready' | 'reset';

export interface Told {
  kind: Kind;
  /** Place in the stream, by which it goes on after a break. */
  place: string;
}

const KINDS: string[] = ['status', 'operation', 'request', 'audit', 'ready', 'reset'] satisfies Kind[];

/** Returns a function that takes text of a stream of server-sent events, cut anywhere, and the events that it ends. */
export function reader(): (text: string) => Told[] {
  let rest = '';
  return (text) => {
    const blocks = (rest + text).replaceAll('\r\n', '\n').split('\n\n');
    rest = blocks.pop() ?? '';
    return blocks.flatMap((block) => {
      const field = (name: string) => block.match(new RegExp(`^${name}: ?(.*)$`, 'm'))?.[1] ?? '';
      const kind = field('event');
      // A kind of a newer server is nothing to this page.
      return KINDS.includes(kind) ? [{ kind: kind as Kind, place: field('id') }] : [];
    });
  };
}

/** Queries that are stale after a change of a kind, by the first part of their keys; null: all of them. */
export const STALE: Record<Kind, string[] | null> = {
  status: ['integrations'],
  operation: ['operations', 'dead-letters'],
  request: ['requests', 'usage'],
  // Every change of anything else is in the audit log.
  audit: ['audit', 'virtual-keys', 'projects', 'members', 'invitations', 'services', 'providers'],
  ready: [],
  reset: null,
};

/** Shortest distance between two rounds of questions for a kind: calls come by the thousand, verdicts do not. */
export const DISTANCE_MS: Record<Kind, number> = {
  status: 100,
  operation: 100,
  request: 2_000,
  audit: 250,
  ready: 0,
  reset: 250,
};
