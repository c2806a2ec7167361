import createClient, { type Middleware } from 'openapi-fetch';
import { isAway, noteAnswer, noteSilence } from './away.ts';
import { prove } from './proof.ts';
import type { components, paths } from './schema.ts';
import { chosenTenant } from './tenant.ts';

export type Schemas = components['schemas'];

/** Refusal by the server, or no answer at all (`status` 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string | null;

  constructor(status: number, code: string, message: string, requestId: string | null) {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }
}

/** Paths at which a refusal is an answer to what was typed, not the end of a session. */
const PROOFS = [
  '/api/v1/setup',
  '/api/v1/sessions',
  '/api/v1/sessions/step-up',
  '/api/v1/sessions/second-factor',
  '/api/v1/sessions/passkey',
  '/api/v1/invitations/accept',
  '/api/v1/password-resets/accept',
  '/api/v1/me/password',
  '/api/v1/me/totp/confirm',
  '/api/v1/me/totp/remove',
];

/** Paths of the same kind: a passkey that is added, or removed with the password. */
const PASSKEY = /^\/api\/v1\/me\/passkeys(\/[^/]+\/remove)?$/;

/**
 * Sends a request. When the session has ended, or the server wants a new proof of the person, it waits for that and
 * sends the request once more: what was typed is not lost.
 */
async function send(request: Request): Promise<Response> {
  const again = request.clone();
  const answer = await reach(request);
  const { pathname } = new URL(request.url);
  const isProof = request.method === 'POST' && (PROOFS.includes(pathname) || PASSKEY.test(pathname));
  if (answer.status === 401 ? isProof : answer.status !== 403) return answer;
  const code = answer.status === 401 ? 'unauthenticated' : await codeOf(answer.clone());
  const wanted = answer.status === 401 ? 'sign-in' : 'step-up';
  if (wanted === 'step-up' && code !== 'step_up_required') return answer;
  return (await prove(wanted)) ? reach(again) : answer;
}

async function reach(request: Request): Promise<Response> {
  try {
    const answer = await fetch(request);
    noteAnswer();
    return answer;
  } catch (error) {
    if (request.signal.aborted) throw error;
    noteSilence();
    throw new ApiError(0, 'unreachable', 'Keyway does not answer', null);
  }
}

async function codeOf(answer: Response): Promise<string> {
  const body = (await answer.json().catch(() => null)) as Schemas['ErrorBody'] | null;
  return body?.error.code ?? 'unknown';
}

const refusals: Middleware = {
  onRequest({ request }) {
    const tenant = chosenTenant();
    if (tenant !== null && !request.headers.has('keyway-tenant')) request.headers.set('keyway-tenant', tenant);
    return request;
  },
  async onResponse({ response }) {
    if (response.ok) return;
    const body = (await response.json().catch(() => null)) as Schemas['ErrorBody'] | null;
    const { code, message, request_id } = body?.error ?? {};
    throw new ApiError(response.status, code ?? 'unknown', message ?? response.statusText, request_id ?? null);
  },
};

/** Calls the management API, typed by its own document. Every refusal is thrown as an [`ApiError`]. */
export const api = createClient<paths>({ baseUrl: location.origin, credentials: 'same-origin', fetch: send });
api.use(refusals);

/** Returns what an answer holds. The client has thrown already if it was none. */
export async function data<T>(answer: Promise<{ data?: T }>): Promise<T> {
  return (await answer).data as T;
}

/** Drops what was not given: a query parameter is left out, never sent empty. */
export function given<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== '')) as never;
}

/** Says whether a failed query is worth another try: not when the server has refused it. */
export function isWorthAnotherTry(failures: number, error: unknown): boolean {
  const refused = error instanceof ApiError && error.status >= 400 && error.status < 500;
  return !refused && !isAway() && failures < 2;
}
