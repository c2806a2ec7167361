import { Trans, useLingui } from '@lingui/react/macro';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { createService, type NewService } from '../../api/services.ts';
import { useMe } from '../../frame/me.ts';
import { Button } from '../../parts/button.tsx';
import { endOf } from '../../parts/date-field.tsx';
import { TextField } from '../../parts/field.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { typed } from '../../parts/typed.ts';
import { ExpiryField } from './expiry-field.tsx';
import { byResource, reading, verbOf } from './permissions.ts';
import { TokenDialog } from './token-dialog.tsx';

/** Makes a service with some of one's own permissions, and shows its token this once. */
export default function CreateDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLingui();
  const queryClient = useQueryClient();
  const [made, setMade] = useState<NewService | null>(null);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());

  async function run(form: FormData) {
    const expires_at = endOf(typed(form, 'expires_on')) ?? '';
    setMade(await createService({ name: typed(form, 'name'), permissions: [...chosen], expires_at }));
    await queryClient.invalidateQueries({ queryKey: ['services'] });
  }

  if (made !== null) return <TokenDialog made={made} onClose={onClose} />;
  return (
    <FormDialog
      title={<Trans>New service</Trans>}
      description={<Trans>It may do what you choose here, as long as you may do it yourself.</Trans>}
      action={<Trans>Create</Trans>}
      run={run}
      onClose={onClose}
    >
      <TextField
        label={<Trans>Name</Trans>}
        name="name"
        autoComplete="off"
        maxLength={100}
        placeholder={t`pipeline`}
        required
      />
      <ExpiryField />
      <PermissionFields chosen={chosen} onChange={setChosen} />
    </FormDialog>
  );
}

interface PermissionProps {
  chosen: ReadonlySet<string>;
  onChange: (chosen: ReadonlySet<string>) => void;
}

function PermissionFields({ chosen, onChange }: PermissionProps) {
  const { permissions } = useMe();

  function toggle(permission: string, is: boolean) {
    const next = new Set(chosen);
    if (is) next.add(permission);
    else next.delete(permission);
    onChange(next);
  }

  return (
    <fieldset>
      <legend className="mb-2 font-medium">
        <Trans>Permissions</Trans>
      </legend>
      <div className="mb-2 flex flex-wrap gap-2">
        <Button onClick={() => onChange(new Set(reading(permissions)))}>
          <Trans>All that reads</Trans>
        </Button>
        <Button onClick={() => onChange(new Set())}>
          <Trans>None</Trans>
        </Button>
      </div>
      <div className="max-h-64 overflow-y-auto rounded-base border border-line">
        {byResource(permissions).map((resource) => (
          <div key={resource.name} className="border-b border-line px-3 py-2 last:border-b-0">
            <p className="font-mono text-small">{resource.name}</p>
            <div className="mt-1 flex flex-wrap gap-x-4 gap-y-1">
              {resource.permissions.map((permission) => (
                <label key={permission} className="inline-flex items-center gap-1.5">
                  <input
                    type="checkbox"
                    aria-label={permission}
                    className="accent-accent"
                    checked={chosen.has(permission)}
                    onChange={(event) => toggle(permission, event.target.checked)}
                  />
                  {verbOf(permission)}
                </label>
              ))}
            </div>
          </div>
        ))}
      </div>
    </fieldset>
  );
}
