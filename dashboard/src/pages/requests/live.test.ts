// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { stateOf } from './live.ts';

test('a log stands still for a reason, and says which', () => {
  const all = { isOn: true, hasOlder: false, isHere: true, isPointed: false };
  for (const [change, expected] of [
    [{}, 'live'],
    [{ isPointed: true }, 'pointed'],
    [{ isHere: false, isPointed: true }, 'away'],
    [{ hasOlder: true, isHere: false }, 'older'],
    [{ isOn: false, hasOlder: true }, 'off'],
  ] as const) {
    expect(stateOf({ ...all, ...change })).toBe(expected);
  }
});
