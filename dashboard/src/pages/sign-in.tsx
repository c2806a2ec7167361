import { Trans } from '@lingui/react/macro';
import { useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link, useRouter } from '@tanstack/react-router';
import { useState, type SubmitEvent } from 'react';
import { signIn } from '../api/session.ts';
import { Door } from '../frame/door.tsx';
import { Button } from '../parts/button.tsx';
import { PasswordField, TextField } from '../parts/field.tsx';
import { Failure } from '../parts/states.tsx';

const route = getRouteApi('/sign-in');

export function SignInPage() {
  const { next } = route.useSearch();
  const router = useRouter();
  const queryClient = useQueryClient();
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function onSubmit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setError(null);
    try {
      await signIn(String(form.get('email')).trim(), String(form.get('password')));
      queryClient.clear();
      router.history.push(next ?? '/');
    } catch (reason) {
      setError(reason);
      setBusy(false);
    }
  }

  return (
    <Door title={<Trans>Sign in</Trans>}>
      <form onSubmit={(event) => void onSubmit(event)} className="flex flex-col gap-4">
        <TextField label={<Trans>Email</Trans>} name="email" type="email" autoComplete="username" required />
        <PasswordField label={<Trans>Password</Trans>} name="password" required />
        <Failure error={error} />
        <Button type="submit" look="primary" isBusy={isBusy}>
          <Trans>Sign in</Trans>
        </Button>
        <p className="text-soft">
          <Trans>
            First start?{' '}
            <Link to="/setup" className="text-accent underline">
              Set Keyway up
            </Link>{' '}
            with the token from its console.
          </Trans>
        </p>
      </form>
    </Door>
  );
}
