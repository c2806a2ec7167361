import { Trans } from '@lingui/react/macro';
import { useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link, useRouter } from '@tanstack/react-router';
import { useState, type SubmitEvent } from 'react';
import { answerChallenge, signIn } from '../api/session.ts';
import { Door } from '../frame/door.tsx';
import { Button } from '../parts/button.tsx';
import { PasswordField, TextField } from '../parts/field.tsx';
import { useFragment } from '../parts/fragment.ts';
import { Failure } from '../parts/states.tsx';
import { typed } from '../parts/typed.ts';

const route = getRouteApi('/sign-in');

/** Signs somebody in: by a password, and by a second factor where there is one. */
export function SignInPage() {
  const { next } = route.useSearch();
  const router = useRouter();
  const queryClient = useQueryClient();
  // An identity provider's sign-in comes back with the challenge behind the `#`.
  const fragment = useFragment();
  const [challenge, setChallenge] = useState(() => new URLSearchParams(fragment).get('challenge'));
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function onSubmit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setError(null);
    try {
      const asked = challenge === null ? await signIn(typed(form, 'email'), String(form.get('password'))) : null;
      if (asked !== null) {
        setChallenge(asked);
        setBusy(false);
        return;
      }
      if (challenge !== null) await answerChallenge(challenge, typed(form, 'code'));
      queryClient.clear();
      router.history.push(next ?? '/');
    } catch (reason) {
      setError(reason);
      setBusy(false);
    }
  }

  return (
    <Door title={<Trans>Sign in</Trans>}>
      <form key={challenge} onSubmit={(event) => void onSubmit(event)} className="flex flex-col gap-4">
        {challenge === null ? <Password /> : <Code />}
        <Failure error={error} />
        <Button type="submit" look="primary" isBusy={isBusy}>
          <Trans>Sign in</Trans>
        </Button>
        {challenge === null ? (
          <>
            <Link to="/reset" className="self-start text-accent underline">
              <Trans>Forgotten your password?</Trans>
            </Link>
            <p className="text-soft">
              <Trans>
                First start?{' '}
                <Link to="/setup" className="text-accent underline">
                  Set Keyway up
                </Link>{' '}
                with the token from its console.
              </Trans>
            </p>
          </>
        ) : (
          <Button look="quiet" onClick={() => setChallenge(null)}>
            <Trans>Begin again</Trans>
          </Button>
        )}
      </form>
    </Door>
  );
}

function Password() {
  return (
    <>
      <TextField label={<Trans>Email</Trans>} name="email" type="email" autoComplete="username" required />
      <PasswordField label={<Trans>Password</Trans>} name="password" required />
    </>
  );
}

function Code() {
  return (
    <TextField
      label={<Trans>Code</Trans>}
      hint={<Trans>Six digits of your authenticator app, or one of your recovery codes.</Trans>}
      name="code"
      autoComplete="one-time-code"
      required
    />
  );
}
