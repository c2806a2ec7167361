import { useLingui } from '@lingui/react/macro';
import { Pause, Play } from 'lucide-react';
import { Button } from '../../parts/button.tsx';
import type { Live, LiveState } from './live.ts';

/** Says whether the log is followed, or why it stands still. */
export function LiveSwitch({ live }: { live: Live }) {
  const { t } = useLingui();
  const words: Record<LiveState, string> = {
    live: t`Live`,
    off: t`Paused`,
    pointed: t`Paused while you are on a row`,
    away: t`Paused while the window is in the background`,
    older: t`Paused: older calls are open`,
  };
  const isOff = live.state === 'off';
  const Sign = isOff ? Play : Pause;
  const dot = live.state === 'live' ? 'animate-[pulse_1.6s_ease-in-out_infinite] bg-ok' : 'bg-edge';
  return (
    <span className="inline-flex flex-wrap items-center justify-end gap-x-3 gap-y-1">
      <span role="status" className="inline-flex items-center gap-1.5 text-soft">
        <span aria-hidden className={`size-2 rounded-full ${dot}`} />
        {words[live.state]}
      </span>
      <Button aria-pressed={!isOff} onClick={live.toggle}>
        <Sign size={14} aria-hidden />
        {isOff ? t`Follow` : t`Pause`}
      </Button>
    </span>
  );
}
