import { Trans } from '@lingui/react/macro';
import { useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link, useRouter } from '@tanstack/react-router';
import { useState, type SubmitEvent } from 'react';
import { answerByPasskey, canHavePasskeys, signInByPasskey } from '../api/passkeys.ts';
import { answerChallenge, signIn, type Asked } from '../api/session.ts';
import { Door } from '../frame/door.tsx';
import { Button } from '../parts/button.tsx';
import { PasswordField, TextField } from '../parts/field.tsx';
import { useFragment } from '../parts/fragment.ts';
import { Failure } from '../parts/states.tsx';
import { typed } from '../parts/typed.ts';

const route = getRouteApi('/sign-in');

/** Signs somebody in: by a passkey alone, or by a password, and by a second factor where there is one. */
export function SignInPage() {
  const { next: target } = route.useSearch();
  const router = useRouter();
  const queryClient = useQueryClient();
  // An identity provider's sign-in comes back with the challenge behind the `#`.
  const fragment = useFragment();
  const [asked, setAsked] = useState(() => readAsked(fragment));
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  /** Does one step; `null` from it: the session has begun. */
  async function run(step: () => Promise<Asked | null>) {
    setBusy(true);
    setError(null);
    try {
      const next = await step();
      if (next !== null) {
        setAsked(next);
        setBusy(false);
        return;
      }
      queryClient.clear();
      router.history.push(target ?? '/');
    } catch (reason) {
      setError(reason);
      setBusy(false);
    }
  }

  function onSubmit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    void run(async () => {
      if (asked === null) return signIn(typed(form, 'email'), String(form.get('password')));
      await answerChallenge(asked.challenge, typed(form, 'code'));
      return null;
    });
  }

  const byPasskey = () =>
    void run(async () => {
      await (asked === null ? signInByPasskey() : answerByPasskey(asked.challenge));
      return null;
    });
  const mayBePasskey = canHavePasskeys() && (asked === null || asked.factors.includes('passkey'));

  return (
    <Door title={<Trans>Sign in</Trans>}>
      <form key={asked?.challenge} onSubmit={onSubmit} className="flex flex-col gap-4">
        {asked === null ? <Password /> : <Code />}
        <Failure error={error} />
        <Button type="submit" look="primary" isBusy={isBusy}>
          <Trans>Sign in</Trans>
        </Button>
        {mayBePasskey && (
          <Button onClick={byPasskey} disabled={isBusy}>
            <Trans>Use a passkey</Trans>
          </Button>
        )}
        {asked === null ? (
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
          <Button look="quiet" onClick={() => setAsked(null)}>
            <Trans>Begin again</Trans>
          </Button>
        )}
      </form>
    </Door>
  );
}

/** Reads what an identity provider's sign-in left behind the `#`. */
function readAsked(fragment: string): Asked | null {
  const left = new URLSearchParams(fragment);
  const challenge = left.get('challenge');
  return challenge === null ? null : { challenge, factors: (left.get('second_factor') ?? '').split(',') };
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
