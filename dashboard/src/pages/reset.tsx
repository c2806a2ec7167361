import { Trans } from '@lingui/react/macro';
import { Link } from '@tanstack/react-router';
import { useState, type SubmitEvent } from 'react';
import { acceptReset, askForReset } from '../api/session.ts';
import { Door } from '../frame/door.tsx';
import { Button } from '../parts/button.tsx';
import { TextField } from '../parts/field.tsx';
import { useFragment } from '../parts/fragment.ts';
import { NewPasswordField } from '../parts/new-password.tsx';
import { Failure } from '../parts/states.tsx';
import { typed } from '../parts/typed.ts';

/**
 * Asks for a link to another password, and sets one by it. The link's token comes behind the `#`, which no server and
 * no log sees.
 */
export function ResetPage() {
  const token = useFragment();
  const [isDone, setDone] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function onSubmit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setError(null);
    try {
      if (token === '') await askForReset(typed(form, 'email'));
      else await acceptReset({ token, password: String(form.get('password')) });
      setDone(true);
    } catch (reason) {
      setError(reason);
    }
    setBusy(false);
  }

  return (
    <Door title={<Trans>Another password</Trans>}>
      {isDone ? (
        <Done isSet={token !== ''} />
      ) : (
        <form onSubmit={(event) => void onSubmit(event)} className="flex flex-col gap-4">
          {token === '' ? (
            <TextField
              label={<Trans>Email</Trans>}
              hint={<Trans>A link goes there, if there is an account with this address.</Trans>}
              name="email"
              type="email"
              autoComplete="username"
              required
            />
          ) : (
            <NewPasswordField label={<Trans>Password</Trans>} fewest={null} />
          )}
          <Failure error={error} />
          <Button type="submit" look="primary" isBusy={isBusy}>
            {token === '' ? <Trans>Send a link</Trans> : <Trans>Set the password</Trans>}
          </Button>
          <BackToSignIn />
        </form>
      )}
    </Door>
  );
}

function Done({ isSet }: { isSet: boolean }) {
  return (
    <div className="flex flex-col gap-4">
      <p role="status">
        {isSet ? (
          <Trans>It is set, and all your sessions have ended. Sign in with it.</Trans>
        ) : (
          <Trans>If there is an account with this address, a link is on its way. It works once, for 30 minutes.</Trans>
        )}
      </p>
      <BackToSignIn />
    </div>
  );
}

function BackToSignIn() {
  return (
    <Link to="/sign-in" className="self-start text-accent underline">
      <Trans>Back to signing in</Trans>
    </Link>
  );
}
