import { Trans, useLingui } from '@lingui/react/macro';
import { useState, type ReactNode, type SubmitEvent } from 'react';
import { Button } from './button.tsx';
import { Actions, Dialog } from './dialog.tsx';
import { TextField } from './field.tsx';
import { Failure } from './states.tsx';

interface Props {
  title: ReactNode;
  /** Consequences, in a sentence or two. */
  children: ReactNode;
  /** Label of the button that does it. */
  action: ReactNode;
  /** Name to be typed first, for what cannot be undone. */
  name?: string;
  run: () => Promise<unknown>;
  /** Called when it is done, in place of `onClose`, by those who show what comes of it. */
  onDone?: () => void;
  onClose: () => void;
}

/** Asks before something destructive, and stays open with the reason when the server refuses it. */
export function Confirm({ title, children, action, name, run, onClose, onDone = onClose }: Props) {
  const { t } = useLingui();
  const [typed, setTyped] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const isNamed = name === undefined || typed.trim() === name;

  async function onSubmit(event: SubmitEvent) {
    event.preventDefault();
    if (!isNamed || isBusy) return;
    setBusy(true);
    try {
      await run();
      onDone();
    } catch (reason) {
      setError(reason);
      setBusy(false);
    }
  }

  return (
    <Dialog isOpen title={title} onClose={onClose}>
      <form onSubmit={(event) => void onSubmit(event)} className="flex flex-col gap-3">
        <div className="text-soft">{children}</div>
        {name !== undefined && (
          <TextField
            label={
              <Trans>
                Type <span className="font-mono">{name}</span> to confirm
              </Trans>
            }
            value={typed}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => setTyped(event.target.value)}
          />
        )}
        <Failure error={error} />
        <Actions>
          <Button onClick={onClose}>{t`Cancel`}</Button>
          <Button type="submit" look="danger" isBusy={isBusy} disabled={!isNamed}>
            {action}
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}
