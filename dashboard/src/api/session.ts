import { queryOptions } from '@tanstack/react-query';
import { api, data, type Schemas } from './client.ts';
import { noteSession } from './proof.ts';
import { chosenTenant, chooseTenant } from './tenant.ts';

export type Me = Schemas['MeView'];

/** Who is signed in; null: nobody. */
export const me = queryOptions({
  queryKey: ['me'],
  staleTime: 60_000,
  queryFn: async ({ signal }): Promise<Me | null> => {
    try {
      return kept(await data(api.GET('/api/v1/me', { signal })));
    } catch (error) {
      // A tenant that one has left since.
      const isOfTenant = chosenTenant() !== null && statusOf(error) !== 401;
      if (!isOfTenant && statusOf(error) !== 401) throw error;
      chooseTenant(null);
      return isOfTenant ? kept(await data(api.GET('/api/v1/me', { signal }))) : null;
    }
  },
});

function kept(found: Me): Me {
  noteSession(found.principal === 'user');
  const own = new Set(found.tenants.map((tenant) => tenant.id));
  const chosen = chosenTenant();
  if (chosen === null || !own.has(chosen)) chooseTenant(found.tenants[0]?.id ?? null);
  return found;
}

function statusOf(error: unknown): number {
  return error instanceof Error && 'status' in error ? Number(error.status) : 0;
}

/** Challenge that a second factor has to answer, and the kinds of factor that the person has. */
export interface Asked {
  challenge: string;
  factors: string[];
}

/** Signs in; returns what a second factor has to answer first, or null: the session has begun. */
export async function signIn(email: string, password: string): Promise<Asked | null> {
  const found = await data(api.POST('/api/v1/sessions', { body: { email, password } }));
  return 'challenge' in found ? { challenge: found.challenge, factors: found.second_factor } : null;
}

/** Answers a challenge with the code of an authenticator app, or with a recovery code. */
export async function answerChallenge(challenge: string, code: string) {
  const body = /^\d{6}$/.test(code) ? { challenge, totp: code } : { challenge, recovery: code };
  await api.POST('/api/v1/sessions/second-factor', { body });
}

/** Asks for a mail with a link to another password. The answer is the same for an address that nobody has. */
export const askForReset = (email: string) => api.POST('/api/v1/password-resets', { body: { email } });

/** Sets another password by the token of such a link. */
export const acceptReset = (body: Schemas['ResetAcceptInput']) => api.POST('/api/v1/password-resets/accept', { body });

export async function stepUp(password: string) {
  await api.POST('/api/v1/sessions/step-up', { body: { password } });
}

export async function setUp(body: Schemas['SetupInput']) {
  await api.POST('/api/v1/setup', { body });
}

export async function signOut() {
  await api.DELETE('/api/v1/sessions/current');
  noteSession(false);
  chooseTenant(null);
}

/** Keeps the language that the person is written to in. */
export async function keepLocale(locale: string) {
  await api.PATCH('/api/v1/me', { body: { locale } });
}

export type Session = Schemas['SessionView'];

/** One's own sessions that hold. */
export const sessions = queryOptions({
  queryKey: ['sessions'],
  queryFn: async ({ signal }) => (await data(api.GET('/api/v1/sessions', { signal }))).items,
});

export const endSession = (id: string) => api.DELETE('/api/v1/sessions/{id}', { params: { path: { id } } });

/** Ends all sessions but this one. */
export const endOtherSessions = () => api.DELETE('/api/v1/sessions');

export const changeMe = (body: Schemas['MeChange']) => api.PATCH('/api/v1/me', { body });

export const changePassword = (body: Schemas['PasswordChange']) => api.POST('/api/v1/me/password', { body });

export const renameTenant = (id: string, name: string) =>
  api.PATCH('/api/v1/tenants/{id}', { params: { path: { id } }, body: { name } });
