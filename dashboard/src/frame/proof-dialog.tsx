import { Trans, useLingui } from '@lingui/react/macro';
import { useState, type SubmitEvent } from 'react';
import type { Question } from '../api/proof.ts';
import { answerChallenge, signIn, stepUp } from '../api/session.ts';
import { Button } from '../parts/button.tsx';
import { Actions, Dialog } from '../parts/dialog.tsx';
import { PasswordField, TextField } from '../parts/field.tsx';
import { Failure } from '../parts/states.tsx';
import { useMe } from './me.ts';

/**
 * Asks for the password, and for a second factor where there is one, when the session has ended, or when the server wants a new proof. The page behind keeps what
 * was typed, and the requests that wait go on.
 */
export default function ProofDialog({ question }: { question: Question }) {
  const { t } = useLingui();
  const email = useMe().user?.email ?? '';
  const [password, setPassword] = useState('');
  const [challenge, setChallenge] = useState<string | null>(null);
  const [code, setCode] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const isOver = question.wanted === 'sign-in';

  /** Sends what was typed; returns the challenge that a second factor has to answer first. */
  async function prove(): Promise<string | null> {
    if (challenge !== null) await answerChallenge(challenge, code.trim());
    else if (isOver) return signIn(email, password);
    else await stepUp(password);
    return null;
  }

  async function onSubmit(event: SubmitEvent) {
    event.preventDefault();
    // The form of the page may be around this one in React's tree.
    event.stopPropagation();
    setBusy(true);
    setError(null);
    try {
      const asked = await prove();
      if (asked === null) return question.answer(true);
      setChallenge(asked);
      setBusy(false);
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
        {challenge === null ? (
          <PasswordField
            label={<Trans>Password</Trans>}
            name="password"
            value={password}
            required
            onChange={(event) => setPassword(event.target.value)}
          />
        ) : (
          <TextField
            label={<Trans>Code</Trans>}
            hint={<Trans>Six digits of your authenticator app, or one of your recovery codes.</Trans>}
            name="code"
            autoComplete="one-time-code"
            value={code}
            required
            onChange={(event) => setCode(event.target.value)}
          />
        )}
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
