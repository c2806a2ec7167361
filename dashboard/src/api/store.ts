import { useSyncExternalStore } from 'react';

/** Value outside of React that components follow. */
export interface Store<T> {
  get: () => T;
  set: (value: T) => void;
  use: () => T;
}

export function store<T>(initial: T): Store<T> {
  const listeners = new Set<() => void>();
  let value = initial;
  const get = () => value;
  const follow = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return {
    get,
    set(next) {
      value = next;
      for (const listener of listeners) listener();
    },
    use: () => useSyncExternalStore(follow, get),
  };
}
