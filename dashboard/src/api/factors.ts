import { queryOptions } from '@tanstack/react-query';
import { api, data, type Schemas } from './client.ts';

export type NewTotp = Schemas['NewTotp'];

/** One's own second factors. */
export const factors = queryOptions({
  queryKey: ['factors'],
  queryFn: ({ signal }) => data(api.GET('/api/v1/me/factors', { signal })),
});

/** Begins to add an authenticator app; returns its secret, this once. */
export const beginTotp = () => data(api.POST('/api/v1/me/totp'));

/** Puts the app into use by its first code; returns recovery codes, this once. */
export async function confirmTotp(totp: string): Promise<string[]> {
  return (await data(api.POST('/api/v1/me/totp/confirm', { body: { totp } }))).recovery_codes;
}

/** Replaces the recovery codes; returns the new ones, this once. */
export async function replaceRecoveryCodes(): Promise<string[]> {
  return (await data(api.POST('/api/v1/me/recovery-codes'))).recovery_codes;
}

/** Removes the app. The password is wanted with the last factor, by who has one. */
export const removeTotp = (password: string) =>
  api.POST('/api/v1/me/totp/remove', { body: password === '' ? {} : { password } });
