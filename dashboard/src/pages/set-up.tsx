import { Trans, useLingui } from '@lingui/react/macro';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState, type SubmitEvent } from 'react';
import { keepLocale, setUp } from '../api/session.ts';
import { Door } from '../frame/door.tsx';
import { Button } from '../parts/button.tsx';
import { SecretField, TextField } from '../parts/field.tsx';
import { NewPasswordField } from '../parts/new-password.tsx';
import { Failure } from '../parts/states.tsx';

/** The first person becomes the owner, by the token that the first start printed. */
export function SetUpPage() {
  const { i18n } = useLingui();
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function onSubmit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const typed = (name: string) => String(form.get(name)).trim();
    setBusy(true);
    setError(null);
    try {
      const password = String(form.get('password'));
      await setUp({ token: typed('token'), email: typed('email'), name: typed('name'), password });
      await keepLocale(i18n.locale);
      queryClient.clear();
      await navigate({ to: '/' });
    } catch (reason) {
      setError(reason);
      setBusy(false);
    }
  }

  return (
    <Door
      title={<Trans>Set Keyway up</Trans>}
      note={<Trans>Whoever has the setup token becomes the first owner, and can invite everybody else.</Trans>}
    >
      <form onSubmit={(event) => void onSubmit(event)} className="flex flex-col gap-4">
        <SecretField
          label={<Trans>Setup token</Trans>}
          hint={<Trans>Keyway printed it at its first start. It begins with kw_setup_ and works once.</Trans>}
          name="token"
          required
        />
        <TextField label={<Trans>Name</Trans>} name="name" autoComplete="name" maxLength={100} required />
        <TextField label={<Trans>Email</Trans>} name="email" type="email" autoComplete="username" required />
        <NewPasswordField label={<Trans>Password</Trans>} />
        <Failure error={error} />
        <Button type="submit" look="primary" isBusy={isBusy}>
          <Trans>Create the first owner</Trans>
        </Button>
        <p className="text-soft">
          <Trans>
            It is set up already?{' '}
            <Link to="/sign-in" className="text-accent underline">
              Sign in
            </Link>
          </Trans>
        </p>
      </form>
    </Door>
  );
}
