import { Trans } from '@lingui/react/macro';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState, type SubmitEvent } from 'react';
import { accept } from '../api/people.ts';
import { Door } from '../frame/door.tsx';
import { Button } from '../parts/button.tsx';
import { TextField } from '../parts/field.tsx';
import { useFragment } from '../parts/fragment.ts';
import { NewPasswordField } from '../parts/new-password.tsx';
import { Failure } from '../parts/states.tsx';
import { typed } from '../parts/typed.ts';

/** Takes an invitation up. Its token comes behind the `#`, which no server and no log sees. */
export function InvitePage() {
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const token = useFragment();
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function onSubmit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setError(null);
    try {
      await accept({ token, name: typed(form, 'name'), password: String(form.get('password')) });
      queryClient.clear();
      await navigate({ to: '/' });
    } catch (reason) {
      setError(reason);
      setBusy(false);
    }
  }

  if (token === '') {
    return (
      <Door title={<Trans>This link is not whole</Trans>}>
        <p>
          <Trans>Copy the whole link, with all that stands behind the # in it.</Trans>
        </p>
      </Door>
    );
  }
  return (
    <Door
      title={<Trans>You are invited</Trans>}
      note={<Trans>Choose a password. If you have an account here already, give its own: it keeps its name.</Trans>}
    >
      <form onSubmit={(event) => void onSubmit(event)} className="flex flex-col gap-4">
        <TextField label={<Trans>Name</Trans>} name="name" autoComplete="name" maxLength={100} required />
        <NewPasswordField label={<Trans>Password</Trans>} />
        <Failure error={error} />
        <Button type="submit" look="primary" isBusy={isBusy}>
          <Trans>Join</Trans>
        </Button>
      </form>
    </Door>
  );
}
