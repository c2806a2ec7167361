import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { given } from '../../api/client.ts';
import { projects } from '../../api/integrations.ts';
import { changeKey, createKey, type NewKey, type VirtualKey } from '../../api/virtual-keys.ts';
import { Button } from '../../parts/button.tsx';
import { dayOf, DayField, endOf } from '../../parts/date-field.tsx';
import { Actions, Dialog } from '../../parts/dialog.tsx';
import { SelectField, TextField } from '../../parts/field.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { LimitFields, readLimits } from '../../parts/limits.tsx';
import { Once } from '../../parts/once.tsx';
import { typed } from '../../parts/typed.ts';
import { Connect } from './connect.tsx';

/** Creates a virtual key and shows it this once, then how to use it. */
export function CreateDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLingui();
  const queryClient = useQueryClient();
  const own = useQuery(projects).data ?? [];
  const [made, setMade] = useState<NewKey | null>(null);
  const [isConnecting, setConnecting] = useState(false);

  async function run(form: FormData) {
    const project_id = typed(form, 'project_id');
    const expires_at = endOf(typed(form, 'expires_on'));
    const body = { name: typed(form, 'name'), expires_at, limits: readLimits(form), ...given({ project_id }) };
    setMade(await createKey(body));
    await queryClient.invalidateQueries({ queryKey: ['virtual-keys'] });
  }

  if (made !== null) {
    return (
      <Dialog isOpen isKept isWide={isConnecting} title={<Trans>Virtual key {made.name}</Trans>} onClose={onClose}>
        <Once label={t`Virtual key`} value={made.key}>
          <Trans>It is shown this once. Whoever has it spends within its limits; it opens no provider key.</Trans>
        </Once>
        {isConnecting && (
          <div className="mt-5">
            <Connect virtualKey={made.key} />
          </div>
        )}
        <Actions>
          {!isConnecting && (
            <Button onClick={() => setConnecting(true)}>
              <Trans>Connect</Trans>
            </Button>
          )}
          <Button look="primary" onClick={onClose}>
            <Trans>Done</Trans>
          </Button>
        </Actions>
      </Dialog>
    );
  }
  return (
    <FormDialog
      title={<Trans>New virtual key</Trans>}
      description={<Trans>For one application: it calls every provider that its project has a key for.</Trans>}
      action={<Trans>Create</Trans>}
      run={run}
      onClose={onClose}
    >
      <TextField
        label={<Trans>Name</Trans>}
        name="name"
        autoComplete="off"
        maxLength={100}
        placeholder={t`website`}
        required
      />
      {own.length > 1 && (
        <SelectField label={<Trans>Project</Trans>} name="project_id">
          <option value="">{t`The default one`}</option>
          {own.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </SelectField>
      )}
      <ExpiryField />
      <LimitFields />
    </FormDialog>
  );
}

/** Changes the name, the expiry and the limits of a virtual key. */
export function EditDialog({ row, onClose }: { row: VirtualKey; onClose: () => void }) {
  const queryClient = useQueryClient();

  async function run(form: FormData) {
    const day = typed(form, 'expires_on');
    // Left as it was: the hour of its expiry stays, too.
    const isSame = day === (row.expires_at ? dayOf(new Date(row.expires_at)) : '');
    const expiry = isSame ? {} : { expires_at: endOf(day) };
    await changeKey(row, { name: typed(form, 'name'), limits: readLimits(form), ...expiry });
    await queryClient.invalidateQueries({ queryKey: ['virtual-keys'] });
    onClose();
  }

  return (
    <FormDialog
      title={<Trans>Change {row.name}</Trans>}
      description={<Trans>It holds on every replica within a second.</Trans>}
      action={<Trans>Save</Trans>}
      run={run}
      onClose={onClose}
    >
      <TextField
        label={<Trans>Name</Trans>}
        name="name"
        autoComplete="off"
        maxLength={100}
        defaultValue={row.name}
        required
      />
      <ExpiryField at={row.expires_at} />
      <LimitFields limits={row.limits} />
    </FormDialog>
  );
}

function ExpiryField({ at }: { at?: string | null | undefined }) {
  return (
    <DayField
      label={<Trans>Works until</Trans>}
      hint={<Trans>The end of that day, in your own time. Left empty: it does not expire.</Trans>}
      name="expires_on"
      defaultValue={at ? dayOf(new Date(at)) : ''}
    />
  );
}
