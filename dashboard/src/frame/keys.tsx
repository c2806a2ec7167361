import { useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState } from 'react';
import type { NavigationEntry } from './navigation.ts';

const KeyList = lazy(() => import('./key-list.tsx'));
const CHORD_MS = 1_200;

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

/** Keyboard of the whole dashboard: `/` searches, `g` and a letter opens a page, `?` lists them. */
export function Keys({ entries }: { entries: NavigationEntry[] }) {
  const navigate = useNavigate();
  const [isListed, setListed] = useState(false);
  useEffect(() => {
    let begunMs = 0;
    function onKey(event: KeyboardEvent) {
      const isOurs = !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event.target);
      if (!isOurs || document.querySelector('[role=dialog], [role=menu]') !== null) return;
      const entry = Date.now() - begunMs < CHORD_MS ? entries.find(({ key }) => key === event.key) : undefined;
      begunMs = event.key === 'g' ? Date.now() : 0;
      if (entry !== undefined) void navigate({ to: entry.to });
      else if (event.key === '?') setListed(true);
      else if (event.key === '/') document.querySelector<HTMLElement>('input[type=search]')?.focus();
      else return;
      event.preventDefault();
    }
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [entries, navigate]);
  return isListed ? (
    <Suspense>
      <KeyList entries={entries} onClose={() => setListed(false)} />
    </Suspense>
  ) : null;
}
