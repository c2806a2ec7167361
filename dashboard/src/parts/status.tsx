import type { ReactNode } from 'react';

export type Tone = 'ok' | 'warn' | 'bad' | 'idle' | 'busy';

const TONES: Record<Tone, string> = {
  ok: 'bg-ok-soft text-ok',
  warn: 'bg-warn-soft text-warn',
  bad: 'bg-bad-soft text-bad',
  idle: 'bg-sunken text-soft',
  busy: 'bg-accent-soft text-accent',
};

/** State in a word; the colour only repeats it. */
export function StatusBadge({ tone, children }: { tone: Tone; children: ReactNode }) {
  const dot = tone === 'busy' ? 'animate-[pulse_1s_ease-in-out_infinite]' : '';
  return (
    <span
      className={`inline-flex h-5.5 items-center gap-1.5 rounded-full px-2 text-small font-medium whitespace-nowrap ${TONES[tone]}`}
    >
      <span aria-hidden className={`size-1.5 rounded-full bg-current ${dot}`} />
      {children}
    </span>
  );
}
