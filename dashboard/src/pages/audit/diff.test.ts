import { expect, test } from 'vitest';
import type { AuditEvent, Changes } from '../../api/audit.ts';
import { circumstances, differences } from './diff.ts';

function event(changes: Changes): AuditEvent {
  return {
    id: 'msg_1',
    action: 'integration.updated',
    actor: { type: 'admin' },
    target: 'int_1',
    outcome: 'success',
    occurred_at: '2026-11-29T00:00:00Z',
    changes,
  };
}

test('the old value is the last one that an earlier event says', () => {
  const updated = event({ address: '::1', name: 'b', priority: 5, limits: { requests_per_minute: 3, tokens: null } });
  const earlier = [
    event({ priority: 2 }),
    event({ priority: 1, name: 'b', limits: { requests_per_minute: null, tokens: null } }),
  ];
  expect(differences(updated, earlier)).toEqual({
    changed: [
      { field: 'priority', before: '2', after: '5' },
      { field: 'limits.requests_per_minute', before: 'null', after: '3' },
    ],
    same: [
      { field: 'name', before: 'b', after: 'b' },
      { field: 'limits.tokens', before: 'null', after: 'null' },
    ],
  });
  expect(circumstances(updated)).toEqual([['address', '::1']]);
});

test('what no earlier event says is not taken for nothing', () => {
  expect(differences(event({ name: null }), []).changed).toEqual([{ field: 'name', before: undefined, after: 'null' }]);
});

test('a change of status is one of the status', () => {
  expect(differences(event({ from: 'error', to: 'connected', verdict: 'valid' }), []).changed).toEqual([
    { field: 'status', before: 'error', after: 'connected' },
  ]);
  // Days of a fetch are no status.
  expect(differences(event({ from: '2026-11-01', to: '2026-11-02' }), []).changed.map(({ field }) => field)).toEqual([
    'from',
    'to',
  ]);
});
