/** Passkeys: what the browser's authenticators and the API say to each other. */
import { queryOptions } from '@tanstack/react-query';
import { api, data, type Schemas } from './client.ts';

export type Passkey = Schemas['PasskeyView'];

/** One's own passkeys, oldest first. */
export const passkeys = queryOptions({
  queryKey: ['factors', 'passkeys'],
  queryFn: async ({ signal }) => (await data(api.GET('/api/v1/me/passkeys', { signal }))).items,
});

/** `true` where the browser knows passkeys and the address has a name, which they are bound to. */
export function canHavePasskeys(): boolean {
  const isNumber = /^[\d.]+$|^\[/.test(location.hostname);
  return (
    isSecureContext &&
    !isNumber &&
    'PublicKeyCredential' in window &&
    'parseCreationOptionsFromJSON' in PublicKeyCredential
  );
}

/** Adds a passkey of this browser or of a device near it; returns recovery codes, this once, where there were none. */
export async function addPasskey(name: string): Promise<string[] | null> {
  const { public_key } = await data(api.POST('/api/v1/me/passkeys/begin'));
  const options = public_key as unknown as PublicKeyCredentialCreationOptionsJSON;
  const made = await navigator.credentials.create({
    publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options),
  });
  const added = await data(api.POST('/api/v1/me/passkeys', { body: { name, credential: written(made) } }));
  return added.recovery_codes ?? null;
}

export const renamePasskey = (id: string, name: string) =>
  api.PATCH('/api/v1/me/passkeys/{id}', { params: { path: { id } }, body: { name } });

export const removePasskey = (id: string, password: string) =>
  api.POST('/api/v1/me/passkeys/{id}/remove', {
    params: { path: { id } },
    body: password === '' ? {} : { password },
  });

/** Asks for a passkey alone; returns whose it was. */
export async function signInByPasskey(): Promise<string> {
  return (await data(api.POST('/api/v1/sessions/passkey', { body: { credential: await proof() } }))).user.id;
}

/** Answers a challenge with a passkey. */
export async function answerByPasskey(challenge: string) {
  await api.POST('/api/v1/sessions/second-factor', { body: { challenge, passkey: await proof() } });
}

/** Proves with a passkey who is in the session. */
export async function stepUpByPasskey() {
  await api.POST('/api/v1/sessions/step-up', { body: { passkey: await proof() } });
}

async function proof() {
  const { public_key } = await data(api.POST('/api/v1/sessions/passkey/begin'));
  const options = public_key as unknown as PublicKeyCredentialRequestOptionsJSON;
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return written(await navigator.credentials.get({ publicKey }));
}

/** Writes a browser's answer as the API takes it. */
function written(credential: Credential | null): Record<string, never> {
  return (credential as PublicKeyCredential).toJSON() as unknown as Record<string, never>;
}
