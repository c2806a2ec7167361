import { Trans, useLingui } from '@lingui/react/macro';
import { useState, type SubmitEvent } from 'react';
import type { Question } from '../api/proof.ts';
import { signIn, stepUp } from '../api/session.ts';
import { Button } from '../parts/button.tsx';
import { Actions, Dialog } from '../parts/dialog.tsx';
import { PasswordField } from '../parts/field.tsx';
import { Failure } from '../parts/states.tsx';
import { useMe } from './me.ts';

/**
 * Asks for the password when the session has ended, or when the server wants a new proof. The page behind keeps what
 * was typed, and the requests that wait go on.
 */
export default function ProofDialog({ question }: { question: Question }) {
  const { t } = useLingui();
  const email = useMe().user?.email ?? '';
  const [password, setPassword] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const isOver = question.wanted === 'sign-in';

  async function onSubmit(event: SubmitEvent) {
    event.preventDefault();
    // The form of the page may be around this one in React's tree.
    event.stopPropagation();
    setBusy(true);
    setError(null);
    try {
      await (isOver ? signIn(email, password) : stepUp(password));
      question.answer(true);
    } catch (reason) {
      setError(reason);
      setBusy(false);
    }
  }

  return (
    <Dialog
      isOpen
      isKept
      title={isOver ? t`Your session has ended` : t`Is it you?`}
      description={
        isOver ? t`Sign in again and go on where you are.` : t`This needs a proof that is not older than five minutes.`
      }
      onClose={() => question.answer(false)}
    >
      <form onSubmit={(event) => void onSubmit(event)} className="flex flex-col gap-3">
        <input type="email" name="email" autoComplete="username" value={email} readOnly hidden />
        <p className="truncate font-medium">{email}</p>
        <PasswordField
          label={<Trans>Password</Trans>}
          name="password"
          value={password}
          required
          onChange={(event) => setPassword(event.target.value)}
        />
        <Failure error={error} />
        <Actions>
          <Button onClick={() => question.answer(false)}>
            <Trans>Cancel</Trans>
          </Button>
          <Button type="submit" look="primary" isBusy={isBusy}>
            {isOver ? <Trans>Sign in</Trans> : <Trans>Confirm</Trans>}
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}
