import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { given } from '../../api/client.ts';
import { projects } from '../../api/integrations.ts';
import { invite, type NewInvitation, type Role } from '../../api/people.ts';
import { useMay } from '../../frame/me.ts';
import { Button } from '../../parts/button.tsx';
import { Actions, Dialog } from '../../parts/dialog.tsx';
import { SelectField, TextField } from '../../parts/field.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { Once } from '../../parts/once.tsx';
import { typed } from '../../parts/typed.ts';
import { RoleField } from './role-field.tsx';

/** Invites somebody: by mail, or with the link to hand over where there is no mail server. */
export default function InviteDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLingui();
  const may = useMay();
  const queryClient = useQueryClient();
  const own = useQuery({ ...projects, enabled: may('projects.read') }).data ?? [];
  const [made, setMade] = useState<NewInvitation | null>(null);

  async function run(form: FormData) {
    const project_id = typed(form, 'project_id');
    const role = typed(form, 'role') as Role;
    setMade(await invite({ email: typed(form, 'email'), role, ...given({ project_id }) }));
    await queryClient.invalidateQueries({ queryKey: ['invitations'] });
  }

  if (made !== null) {
    return (
      <Dialog isOpen isKept title={<Trans>Invitation of {made.email}</Trans>} onClose={onClose}>
        {made.link ? (
          <Once label={t`Link`} value={made.link}>
            <Trans>Hand it over: it is shown this once, works once, for this address, and for 72 hours.</Trans>
          </Once>
        ) : (
          <p>
            <Trans>The link is on its way by mail. It works once, for this address, and for 72 hours.</Trans>
          </p>
        )}
        <Actions>
          <Button look="primary" onClick={onClose}>
            <Trans>Done</Trans>
          </Button>
        </Actions>
      </Dialog>
    );
  }
  return (
    <FormDialog
      title={<Trans>Invite somebody</Trans>}
      description={<Trans>The link goes by mail, or you get it to hand over.</Trans>}
      action={<Trans>Invite</Trans>}
      run={run}
      onClose={onClose}
    >
      <TextField label={<Trans>Email</Trans>} name="email" type="email" autoComplete="off" required />
      <RoleField />
      {own.length > 1 && (
        <SelectField
          label={<Trans>Where</Trans>}
          hint={<Trans>In a project alone, nothing else of the tenant exists for this person.</Trans>}
          name="project_id"
        >
          <option value="">{t`In the whole tenant`}</option>
          {own.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </SelectField>
      )}
    </FormDialog>
  );
}
