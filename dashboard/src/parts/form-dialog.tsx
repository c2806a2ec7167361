import { Trans } from '@lingui/react/macro';
import { useState, type ReactNode, type SubmitEvent } from 'react';
import { Button } from './button.tsx';
import { Actions, Dialog } from './dialog.tsx';
import { Failure } from './states.tsx';

interface Props {
  title: ReactNode;
  description?: ReactNode;
  /** Label of the button that sends it. */
  action: ReactNode;
  /** Does it with what was typed, and closes or replaces the dialog. Its failure is shown, and what was typed stays. */
  run: (form: FormData) => Promise<unknown>;
  onClose: () => void;
  children: ReactNode;
}

/** Dialog with fields to be sent. */
export function FormDialog({ title, description, action, run, onClose, children }: Props) {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function onSubmit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setError(null);
    try {
      await run(new FormData(event.currentTarget));
    } catch (reason) {
      setError(reason);
    }
    setBusy(false);
  }

  return (
    <Dialog isOpen isKept title={title} description={description} onClose={onClose}>
      <form onSubmit={(event) => void onSubmit(event)} className="flex flex-col gap-3.5">
        {children}
        <Failure error={error} />
        <Actions>
          <Button onClick={onClose}>
            <Trans>Cancel</Trans>
          </Button>
          <Button type="submit" look="primary" isBusy={isBusy}>
            {action}
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}
