import { expect, test } from 'vitest';
import { gather, runEach, type Tally } from './bulk.ts';
import { jobSearch } from './search.ts';

const IDS = Array.from({ length: 20 }, (_, index) => `op_${index}`);

async function* pagesOf(ids: string[]) {
  for (let at = 0; at < ids.length; at += 7) yield ids.slice(at, at + 7).map((id) => ({ id }));
}

test('everything that fits is gathered, and what is cut off is said', async () => {
  expect(await gather(pagesOf(IDS), ({ id }) => id !== 'op_3', 100)).toEqual({
    ids: IDS.filter((id) => id !== 'op_3'),
    isCut: false,
  });
  expect(await gather(pagesOf(IDS), () => true, 8)).toEqual({ ids: IDS.slice(0, 8), isCut: true });
});

test('each is acted on once, and a refusal stops nothing', async () => {
  const acted: string[] = [];
  const seen: Tally[] = [];
  const refusal = new Error('it has ended');
  const run = async (id: string) => {
    acted.push(id);
    await Promise.resolve();
    if (id === 'op_5') throw refusal;
  };
  const tally = await runEach(IDS, run, (now) => seen.push(now), new AbortController().signal);
  expect(acted.toSorted()).toEqual(IDS.toSorted());
  expect(tally).toEqual({ done: 19, refused: [{ id: 'op_5', error: refusal }] });
  expect(seen.map(({ done, refused }) => done + refused.length)).toEqual(IDS.map((_, index) => index + 1));
});

test('after an abort none is begun', async () => {
  const controller = new AbortController();
  let count = 0;
  const run = async () => {
    count += 1;
    if (count === 6) controller.abort();
    await Promise.resolve();
  };
  await runEach(IDS, run, () => {}, controller.signal);
  expect(count).toBeLessThan(10);
});

test('an address is believed only where it makes sense', () => {
  expect(jobSearch({ show: 'dead-letters', kind: 'revoke', state: 'failed' })).toEqual({
    show: 'dead-letters',
    kind: 'revoke',
    state: 'failed',
  });
  expect(jobSearch({ show: 'all', kind: 'x', state: '', integration_id: 'int_1' })).toEqual({});
});
