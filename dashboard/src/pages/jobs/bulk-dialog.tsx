import { Plural, Trans } from '@lingui/react/macro';
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { Button } from '../../parts/button.tsx';
import { Actions, Dialog } from '../../parts/dialog.tsx';
import { Failure, Loading } from '../../parts/states.tsx';
import { runEach, type Gathered, type Tally } from './bulk.ts';

interface Props {
  title: ReactNode;
  /** Consequences, in a sentence. */
  children: ReactNode;
  /** Label of the button that begins it. */
  action: ReactNode;
  /** Finds what the act is for. */
  find: () => Promise<Gathered>;
  run: (id: string) => Promise<unknown>;
  onClose: () => void;
}

/** Counts what the filter finds, names the count, and only then acts on each, with progress. */
export default function BulkDialog({ title, children, action, find, run, onClose }: Props) {
  const [found, setFound] = useState<Gathered | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [tally, setTally] = useState<Tally | null>(null);
  const [isOver, setOver] = useState(false);
  const controller = useRef(new AbortController());
  // Once: what comes later was not in the count.
  const look = useRef(find);
  useEffect(() => {
    let isShown = true;
    look.current().then(
      (gathered) => isShown && setFound(gathered),
      (reason: unknown) => isShown && setError(reason),
    );
    return () => {
      isShown = false;
    };
  }, []);

  async function begin(ids: string[]) {
    setTally({ done: 0, refused: [] });
    setTally(await runEach(ids, run, setTally, controller.current.signal));
    setOver(true);
  }

  function close() {
    controller.current.abort();
    onClose();
  }

  const count = found?.ids.length ?? 0;
  const ended = (tally?.done ?? 0) + (tally?.refused.length ?? 0);
  return (
    <Dialog isOpen isKept title={title} onClose={close}>
      <div className="flex flex-col gap-3">
        <p className="text-soft">{children}</p>
        <Failure error={error} />
        {found === null && error === null && <Loading rows={1} />}
        {found !== null && (
          <p className="text-large font-medium">
            {count === 0 ? (
              <Trans>Nothing fits the filter</Trans>
            ) : (
              <Plural value={count} one="# fits the filter" other="# fit the filter" />
            )}
            {found.isCut && (
              <span className="block text-base text-warn">
                <Trans>There are more; these are the newest.</Trans>
              </span>
            )}
          </p>
        )}
        {tally !== null && (
          <>
            <progress className="h-2 w-full accent-accent" max={count} value={ended} aria-label={String(ended)} />
            <p role="status" className="tabular-nums">
              <Trans>
                {tally.done} of {count} done, {tally.refused.length} refused
              </Trans>
            </p>
            {isOver && <Failure error={tally.refused[0]?.error} />}
          </>
        )}
        <Actions>
          <Button onClick={close}>{isOver ? <Trans>Close</Trans> : <Trans>Cancel</Trans>}</Button>
          {!isOver && (
            <Button
              look="danger"
              disabled={count === 0}
              isBusy={tally !== null}
              onClick={() => found !== null && void begin(found.ids)}
            >
              {action}
            </Button>
          )}
        </Actions>
      </div>
    </Dialog>
  );
}
