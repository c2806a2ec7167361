import { useEffect, useState } from 'react';

export type LiveState = 'live' | 'off' | 'pointed' | 'away' | 'older';

const EVERY_MS = 2_000;

export interface Live {
  state: LiveState;
  /** Distance between two looks; false: it is not looked. */
  everyMs: number | false;
  toggle: () => void;
  /** For the part of the page that stands still while one points at it. */
  handlers: { onPointerEnter: () => void; onPointerLeave: () => void; onFocus: () => void; onBlur: () => void };
}

/** Follows a log, but never below the pointer, in the background, or while older pages are open. */
export function useLive(hasOlder: boolean): Live {
  const [isOn, setOn] = useState(true);
  const [isPointed, setPointed] = useState(false);
  const [isFocused, setFocused] = useState(false);
  const [isHere, setHere] = useState(() => document.hasFocus());
  useEffect(() => {
    const look = () => setHere(document.hasFocus());
    for (const name of ['focus', 'blur']) addEventListener(name, look);
    document.addEventListener('visibilitychange', look);
    return () => {
      for (const name of ['focus', 'blur']) removeEventListener(name, look);
      document.removeEventListener('visibilitychange', look);
    };
  }, []);
  const state = stateOf({ isOn, hasOlder, isHere, isPointed: isPointed || isFocused });
  return {
    state,
    everyMs: state === 'live' ? EVERY_MS : false,
    toggle: () => setOn(!isOn),
    handlers: {
      onPointerEnter: () => setPointed(true),
      onPointerLeave: () => setPointed(false),
      onFocus: () => setFocused(true),
      onBlur: () => setFocused(false),
    },
  };
}

interface Circumstances {
  isOn: boolean;
  hasOlder: boolean;
  isHere: boolean;
  isPointed: boolean;
}

/** Returns what stands in the way of following, the lasting reasons first. */
export function stateOf({ isOn, hasOlder, isHere, isPointed }: Circumstances): LiveState {
  if (!isOn) return 'off';
  if (hasOlder) return 'older';
  if (!isHere) return 'away';
  return isPointed ? 'pointed' : 'live';
}
