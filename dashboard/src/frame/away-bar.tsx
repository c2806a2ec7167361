import { Trans } from '@lingui/react/macro';
import { useEffect, useState } from 'react';
import { tryNow, useNextTry } from '../api/away.ts';

/** Says that the server does not answer, and when it is asked again. */
export function AwayBar() {
  const nextTryMs = useNextTry();
  const [nowMs, setNowMs] = useState(Date.now);
  useEffect(() => {
    if (nextTryMs === null) return;
    setNowMs(Date.now());
    const timer = setInterval(() => setNowMs(Date.now()), 500);
    return () => clearInterval(timer);
  }, [nextTryMs]);
  const seconds = nextTryMs === null ? 0 : Math.max(0, Math.ceil((nextTryMs - nowMs) / 1000));
  return (
    <div role="status" className="sticky top-0 z-20">
      {nextTryMs !== null && (
        <p className="flex flex-wrap items-center justify-center gap-x-3 bg-warn-soft px-4 py-1.5 text-warn">
          <Trans>Keyway does not answer. Next try in {seconds} s.</Trans>
          <button type="button" className="font-medium underline" onClick={() => void tryNow()}>
            <Trans>Try now</Trans>
          </button>
        </p>
      )}
    </div>
  );
}
