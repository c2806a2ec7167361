import { infiniteQueryOptions } from '@tanstack/react-query';
import { api, data, given, type Schemas } from './client.ts';

export type Member = Schemas['MemberView'];
export type Role = Schemas['Role'];
export type Invitation = Schemas['InvitationView'];
export type NewInvitation = Schemas['NewInvitationView'];

const PAGE_ROWS = 100;

export const members = infiniteQueryOptions({
  queryKey: ['members'],
  initialPageParam: '',
  queryFn: ({ pageParam, signal }) => {
    const query = given({ limit: PAGE_ROWS, cursor: pageParam });
    return data(api.GET('/api/v1/members', { params: { query }, signal }));
  },
  getNextPageParam: (page) => page.next_cursor,
});

export const invitations = infiniteQueryOptions({
  queryKey: ['invitations'],
  initialPageParam: '',
  queryFn: ({ pageParam, signal }) => {
    const query = given({ limit: PAGE_ROWS, cursor: pageParam });
    return data(api.GET('/api/v1/invitations', { params: { query }, signal }));
  },
  getNextPageParam: (page) => page.next_cursor,
});

export const invite = (body: Schemas['InvitationInput']) => data(api.POST('/api/v1/invitations', { body }));

export const takeBack = (id: string) => api.DELETE('/api/v1/invitations/{id}', { params: { path: { id } } });

export const accept = (body: Schemas['AcceptInput']) => data(api.POST('/api/v1/invitations/accept', { body }));

/** Gives another role, unless the member has been changed since it was read. */
export const changeRole = ({ id, version }: Member, role: Role) => {
  const params = { path: { id }, header: { 'If-Match': `"${version}"` } };
  return data(api.PATCH('/api/v1/members/{id}', { params, body: { role } }));
};

export const removeMember = (id: string) => api.DELETE('/api/v1/members/{id}', { params: { path: { id } } });
