import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery } from '@tanstack/react-query';
import { useState, type SubmitEvent } from 'react';
import type { Question } from '../api/proof.ts';
import { factors } from '../api/factors.ts';
import { answerByPasskey, canHavePasskeys, signInByPasskey, stepUpByPasskey } from '../api/passkeys.ts';
import { answerChallenge, signIn, stepUp, type Asked } from '../api/session.ts';
import { Button } from '../parts/button.tsx';
import { Actions, Dialog } from '../parts/dialog.tsx';
import { PasswordField, TextField } from '../parts/field.tsx';
import { Failure } from '../parts/states.tsx';
import { useMe } from './me.ts';

/**
 * Asks for the password, and for a second factor where there is one, or for a passkey, when the session has ended, or
 * when the server wants a new proof. The page behind keeps what was typed, and the requests that wait go on.
 */
export default function ProofDialog({ question }: { question: Question }) {
  const { t } = useLingui();
  const { user } = useMe();
  const email = user?.email ?? '';
  const [password, setPassword] = useState('');
  const [asked, setAsked] = useState<Asked | null>(null);
  const [code, setCode] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const isOver = question.wanted === 'sign-in';

  // A session that has ended can ask for nothing.
  const { data: own } = useQuery({ ...factors, enabled: !isOver });
  const hasPasskey = isOver ? (asked?.factors.includes('passkey') ?? true) : (own?.passkeys ?? 0) > 0;

  /** Sends what was typed; returns what a second factor has to answer first. */
  async function prove(): Promise<Asked | null> {
    if (asked !== null) await answerChallenge(asked.challenge, code.trim());
    else if (isOver) return signIn(email, password);
    else await stepUp(password);
    return null;
  }

  async function proveByPasskey(): Promise<null> {
    if (asked !== null) await answerByPasskey(asked.challenge);
    else if (!isOver) await stepUpByPasskey();
    // What the page shows is that of whom it was opened by.
    else if ((await signInByPasskey()) !== user?.id) location.reload();
    return null;
  }

  async function run(act: () => Promise<Asked | null>) {
    setBusy(true);
    setError(null);
    try {
      const next = await act();
      if (next === null) return question.answer(true);
      setAsked(next);
      setBusy(false);
    } catch (reason) {
      setError(reason);
      setBusy(false);
    }
  }

  function onSubmit(event: SubmitEvent) {
    event.preventDefault();
    // The form of the page may be around this one in React's tree.
    event.stopPropagation();
    void run(prove);
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
      <form onSubmit={onSubmit} className="flex flex-col gap-3">
        <input type="email" name="email" autoComplete="username" value={email} readOnly hidden />
        <p className="truncate font-medium">{email}</p>
        {asked === null ? (
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
          {hasPasskey && canHavePasskeys() && (
            <Button onClick={() => void run(proveByPasskey)} disabled={isBusy}>
              <Trans>Use a passkey</Trans>
            </Button>
          )}
          <Button type="submit" look="primary" isBusy={isBusy}>
            {isOver ? <Trans>Sign in</Trans> : <Trans>Confirm</Trans>}
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}
