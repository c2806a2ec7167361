// @vitest-environment jsdom
import { expect, test, vi } from 'vitest';
import { invalidation } from './use-live.ts';

test('many calls lead to one round of questions, a reset to all', () => {
  vi.useFakeTimers();
  const invalidateQueries = vi.fn<(filter?: { queryKey?: readonly unknown[] }) => Promise<void>>(async () => undefined);
  const { note, stop } = invalidation({ invalidateQueries });
  const asked = () => invalidateQueries.mock.calls.map(([filter]) => filter?.queryKey?.[0]);
  note('ready');
  for (let call = 0; call < 1_000; call += 1) note('request');
  note('status');
  vi.advanceTimersByTime(150);
  expect(asked()).toEqual(['integrations']);
  vi.advanceTimersByTime(2_000);
  expect(asked()).toEqual(['integrations', 'requests', 'usage']);
  note('reset');
  vi.advanceTimersByTime(300);
  expect(asked().at(-1)).toBeUndefined();
  note('audit');
  stop();
  vi.advanceTimersByTime(10_000);
  expect(asked()).toHaveLength(4);
  vi.useRealTimers();
});
