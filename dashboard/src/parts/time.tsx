import { useLingui } from '@lingui/react/macro';
import { useEffect, useState } from 'react';

const STEP_MS = 15_000;

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** Writes the distance between two times in milliseconds in words: "3 minutes ago", "in 2 days". */
export function writeDistance(fromMs: number, toMs: number, locale: string): string {
  const seconds = Math.round((toMs - fromMs) / 1000);
  const format = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' });
  const step = STEPS.find(([, size]) => Math.abs(seconds) >= size);
  return step === undefined ? format.format(seconds, 'second') : format.format(Math.trunc(seconds / step[1]), step[0]);
}

/** Returns the present time in milliseconds, which goes on by itself in steps of some seconds. */
export function useNow(): number {
  const [nowMs, setNowMs] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), STEP_MS);
    return () => clearInterval(timer);
  }, []);
  return nowMs;
}

/** Point in time as a distance from now, which goes on by itself; the exact one stands behind it. */
export function Time({ at }: { at: string | null | undefined }) {
  const { i18n, t } = useLingui();
  const nowMs = useNow();
  if (at === null || at === undefined) return <span className="text-soft">{t`never`}</span>;
  const exact = new Intl.DateTimeFormat(i18n.locale, { dateStyle: 'medium', timeStyle: 'long' }).format(new Date(at));
  // A clock of the server that is ahead by a moment is no future.
  const atMs = new Date(at).getTime();
  const to = atMs > nowMs && atMs - nowMs < 20_000 ? nowMs : atMs;
  return (
    <time dateTime={at} title={exact} className="whitespace-nowrap tabular-nums">
      {writeDistance(nowMs, to, i18n.locale)}
    </time>
  );
}
