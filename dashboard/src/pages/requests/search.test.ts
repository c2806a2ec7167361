import { expect, test } from 'vitest';
import { callSearch, idOf } from './search.ts';

const ID = 'req_01a224c64ac4752c89fe74c5c6229147';

test('an address is believed only where it makes sense', () => {
  for (const [search, expected] of [
    [
      { http_status: 429, outcome: 'refused' },
      { http_status: '429', outcome: 'refused' },
    ],
    [
      { http_status: '5xx', since: '1h', credential: 'fallback' },
      { http_status: '5xx', since: '1h', credential: 'fallback' },
    ],
    [{ http_status: '600', outcome: 'lost', since: '2y', credential: 'stolen' }, {}],
    [{ model: 'org/model 1', provider: '../me', integration_id: 'int_1' }, { model: 'org/model 1' }],
  ] as const) {
    expect(callSearch(search)).toEqual(expected);
  }
});

test('an id is found in what was pasted', () => {
  expect(idOf(` x-keyway-request-id: ${ID}\n`)).toBe(ID);
  expect(idOf(ID.slice(0, -1))).toBeNull();
  expect(idOf(`${ID}0`)).toBeNull();
});
