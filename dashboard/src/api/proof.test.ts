// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { api } from './client.ts';
import { currentQuestion, noteSession } from './proof.ts';

beforeEach(() => noteSession(true));

afterEach(() => {
  vi.unstubAllGlobals();
  noteSession(false);
});

/** Answers the first so many requests with a refusal, and all others with what was sent. */
function refuseFirst(count: number, status: number, code: string) {
  let seen = 0;
  vi.stubGlobal('fetch', async (request: Request) => {
    seen += 1;
    return seen <= count ? Response.json({ error: { code } }, { status }) : Response.json(await request.json());
  });
}

const rename = (name: string) => api.PATCH('/api/v1/me', { body: { name } });

test.each([
  [401, 'unauthenticated', 'sign-in'],
  [403, 'step_up_required', 'step-up'],
])('after %s %s the person is asked once, and both requests go on', async (status, code, wanted) => {
  refuseFirst(2, status, code);
  const both = Promise.all([rename('Ana'), rename('Ben')]);
  await vi.waitFor(() => expect(currentQuestion()?.wanted).toBe(wanted));
  currentQuestion()?.answer(true);
  expect((await both).map((answer) => answer.data?.name)).toEqual(['Ana', 'Ben']);
  expect(currentQuestion()).toBe(null);
});

test('whoever declines gets the refusal', async () => {
  refuseFirst(1, 401, 'unauthenticated');
  const refused = rename('Ana').catch((error: unknown) => error);
  await vi.waitFor(() => expect(currentQuestion()).not.toBe(null));
  currentQuestion()?.answer(false);
  expect(await refused).toMatchObject({ status: 401 });
});
