import { useEffect, useState } from 'react';

/**
 * What stood behind the `#` when the page was opened: a token, which no server and no log sees. It does not stay in the
 * address, nor in the history.
 */
export function useFragment(): string {
  const [fragment] = useState(() => location.hash.slice(1));
  useEffect(() => {
    if (location.hash !== '') history.replaceState(history.state, '', location.pathname + location.search);
  }, []);
  return fragment;
}
