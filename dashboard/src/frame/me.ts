import { useSuspenseQuery } from '@tanstack/react-query';
import { me, type Me } from '../api/session.ts';

/** Returns who is signed in; only below the frame, which lets nobody else in. */
export function useMe(): Me {
  const { data } = useSuspenseQuery(me);
  if (data === null) throw new Error('nobody is signed in');
  return data;
}

/** Returns a function that tells whether the person has a permission in the chosen tenant. */
export function useMay(): (permission: string) => boolean {
  const { permissions } = useMe();
  return (permission) => permissions.includes(permission);
}
