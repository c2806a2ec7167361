// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { isAway, noteAnswer } from './away.ts';
import { api, ApiError, data, given, isWorthAnotherTry } from './client.ts';
import { noteSession, prove } from './proof.ts';
import { chooseTenant } from './tenant.ts';

let answers: (Response | Error)[] = [];
let sent: Request[] = [];

beforeEach(() => {
  answers = [];
  sent = [];
  vi.stubGlobal('fetch', async (request: Request) => {
    sent.push(request);
    const answer = answers.shift();
    if (answer === undefined || answer instanceof Error) throw answer ?? new TypeError('nothing answers');
    return answer;
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
  noteSession(false);
  chooseTenant(null);
  noteAnswer();
});

function refusal(status: number, code: string): Response {
  const error = { type: 'permission', code, message: 'no', request_id: 'req_1' };
  return Response.json({ error }, { status });
}

const rename = () => api.PATCH('/api/v1/me', { body: { name: 'Ana' } });

test('a refusal is thrown with its code and the id of the request', async () => {
  answers = [refusal(403, 'not_allowed')];
  await expect(rename()).rejects.toMatchObject({ status: 403, code: 'not_allowed', requestId: 'req_1' });
  expect(sent.length).toBe(1);
});

test('without a session, 401 is the answer', async () => {
  answers = [refusal(401, 'unauthenticated')];
  await expect(rename()).rejects.toMatchObject({ status: 401 });
  expect(await prove('sign-in')).toBe(false);
});

test('the tenant is named by itself', async () => {
  chooseTenant('tnt_1');
  answers = [Response.json({ principal: 'user' })];
  await data(api.GET('/api/v1/me'));
  expect(sent[0]?.headers.get('keyway-tenant')).toBe('tnt_1');
});

test('a server that does not answer is away until it answers', async () => {
  await expect(rename()).rejects.toMatchObject({ status: 0, code: 'unreachable' });
  expect(isAway()).toBe(true);
  answers = [Response.json({})];
  await rename();
  expect(isAway()).toBe(false);
});

test('a refused query is not repeated, one without an answer is', () => {
  expect(isWorthAnotherTry(0, new ApiError(404, 'not_found', '', null))).toBe(false);
  expect(isWorthAnotherTry(0, new ApiError(503, 'unavailable', '', null))).toBe(true);
  expect(isWorthAnotherTry(2, new ApiError(503, 'unavailable', '', null))).toBe(false);
});

test('what was not given is left out', () => {
  expect(given({ a: '', b: undefined, c: 0, d: false, e: 'x' })).toEqual({ c: 0, d: false, e: 'x' });
});
