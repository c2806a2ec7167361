/** Whether the server answers; while it does not, it is asked again at growing distances. */
import { store } from './store.ts';

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;

/** Time of the next try in milliseconds since 1970; null while the server answers. */
const nextTry = store<number | null>(null);
const returned = new Set<() => void>();
let waitMs = FIRST_MS;
let timer: ReturnType<typeof setTimeout> | undefined;

export const useNextTry = nextTry.use;

export function isAway(): boolean {
  return nextTry.get() !== null;
}

/** Calls back each time the server answers again. */
export function onReturn(callback: () => void) {
  returned.add(callback);
}

export function noteAnswer() {
  if (!isAway()) return;
  clearTimeout(timer);
  waitMs = FIRST_MS;
  nextTry.set(null);
  for (const callback of returned) callback();
}

export function noteSilence() {
  if (!isAway()) plan();
}

export async function tryNow() {
  clearTimeout(timer);
  try {
    await fetch('/favicon.svg', { method: 'HEAD', cache: 'no-store' });
    noteAnswer();
  } catch {
    plan();
  }
}

function plan() {
  // Not all pages come back in the same moment.
  const delayMs = waitMs * (0.75 + Math.random() / 2);
  waitMs = Math.min(waitMs * 2, LONGEST_MS);
  nextTry.set(Date.now() + delayMs);
  timer = setTimeout(() => void tryNow(), delayMs);
}
