import { CircleAlert, CircleCheck } from 'lucide-react';
import type { ReactNode } from 'react';
import { store } from '../api/store.ts';

interface Toast {
  id: number;
  tone: 'ok' | 'bad';
  text: ReactNode;
}

const SHOWN_MS = 6_000;
const toasts = store<Toast[]>([]);
let last = 0;

/** Says something in passing; whoever has to act on it needs more than that. */
export function toast(text: ReactNode, tone: Toast['tone'] = 'ok') {
  last += 1;
  const id = last;
  toasts.set([...toasts.get(), { id, tone, text }]);
  setTimeout(() => toasts.set(toasts.get().filter((shown) => shown.id !== id)), SHOWN_MS);
}

/** Corner in which they appear. It is always there, so that screen readers hear what comes into it. */
export function Toaster() {
  return (
    <div
      role="status"
      className="pointer-events-none fixed right-4 bottom-4 z-60 flex w-[min(calc(100vw-2rem),22rem)] flex-col gap-2"
    >
      {toasts.use().map(({ id, tone, text }) => {
        const Sign = tone === 'ok' ? CircleCheck : CircleAlert;
        return (
          <div
            key={id}
            className="flex items-start gap-2 rounded-base border border-line bg-panel px-3 py-2.5 shadow-raise"
          >
            <Sign size={16} aria-hidden className={`mt-0.5 shrink-0 ${tone === 'ok' ? 'text-ok' : 'text-bad'}`} />
            <div className="min-w-0 break-words">{text}</div>
          </div>
        );
      })}
    </div>
  );
}
