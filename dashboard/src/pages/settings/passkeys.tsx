import { Trans } from '@lingui/react/macro';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { factors } from '../../api/factors.ts';
import {
  addPasskey,
  canHavePasskeys,
  passkeys,
  removePasskey,
  renamePasskey,
  type Passkey,
} from '../../api/passkeys.ts';
import { Button } from '../../parts/button.tsx';
import { PasswordField, TextField } from '../../parts/field.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { Failure, Loading } from '../../parts/states.tsx';
import { Time } from '../../parts/time.tsx';
import { typed } from '../../parts/typed.ts';
import { Codes } from './codes.tsx';

type Step = 'add' | { rename: Passkey } | { remove: Passkey } | { codes: string[] } | null;

/** One's own passkeys: each signs in by itself. */
export function Passkeys() {
  const queryClient = useQueryClient();
  const found = useQuery(passkeys);
  const { data: own } = useQuery(factors);
  const [step, setStep] = useState<Step>(null);
  const rows = found.data ?? [];
  const isLast = rows.length === 1 && own?.totp === null;

  /** Does something from a dialog, and goes on to what comes of it. */
  async function run(act: () => Promise<Step>) {
    setStep(await act());
    await queryClient.invalidateQueries({ queryKey: ['factors'] });
  }

  return (
    <div className="flex flex-col items-start gap-3">
      <Failure error={found.error} onRetry={() => void found.refetch()} />
      {found.isPending && <Loading rows={1} />}
      {rows.length > 0 && (
        <ul className="flex w-full flex-col rounded-large border border-line bg-panel">
          {rows.map((row) => (
            <PasskeyRow
              key={row.id}
              row={row}
              onRename={() => setStep({ rename: row })}
              onRemove={() => setStep({ remove: row })}
            />
          ))}
        </ul>
      )}
      {canHavePasskeys() ? (
        <Button onClick={() => setStep('add')}>
          <Trans>Add a passkey</Trans>
        </Button>
      ) : (
        <p className="text-soft">
          <Trans>This browser cannot add one here: passkeys need an address with a name, and https or localhost.</Trans>
        </p>
      )}
      {step === 'add' && (
        <NameDialog
          title={<Trans>Add a passkey</Trans>}
          action={<Trans>Go on</Trans>}
          run={(name) =>
            run(async () => {
              const codes = await addPasskey(name);
              return codes === null ? null : { codes };
            })
          }
          onClose={() => setStep(null)}
        />
      )}
      {step !== null && step !== 'add' && 'rename' in step && (
        <NameDialog
          title={<Trans>Rename the passkey</Trans>}
          action={<Trans>Rename</Trans>}
          name={step.rename.name}
          run={(name) => run(() => renamePasskey(step.rename.id, name).then(() => null))}
          onClose={() => setStep(null)}
        />
      )}
      {step !== null && step !== 'add' && 'remove' in step && (
        <Removal
          row={step.remove}
          isLast={isLast}
          run={(password) => run(() => removePasskey(step.remove.id, password).then(() => null))}
          onClose={() => setStep(null)}
        />
      )}
      {step !== null && step !== 'add' && 'codes' in step && <Codes codes={step.codes} onClose={() => setStep(null)} />}
    </div>
  );
}

function PasskeyRow({ row, onRename, onRemove }: { row: Passkey; onRename: () => void; onRemove: () => void }) {
  return (
    <li className="flex items-center gap-3 border-t border-line px-3 py-2.5 first:border-t-0">
      <div className="min-w-0 grow">
        <p className="truncate font-medium" title={row.name}>
          {row.name}
        </p>
        <p className="text-small text-soft">
          {row.last_used_at ? (
            <Trans>
              Last used <Time at={row.last_used_at} />
            </Trans>
          ) : (
            <Trans>Not used yet</Trans>
          )}
        </p>
      </div>
      <Button look="quiet" onClick={onRename}>
        <Trans>Rename</Trans>
      </Button>
      <Button look="quiet" onClick={onRemove}>
        <Trans>Remove</Trans>
      </Button>
    </li>
  );
}

interface NameProps {
  title: ReactNode;
  action: ReactNode;
  name?: string;
  run: (name: string) => Promise<unknown>;
  onClose: () => void;
}

function NameDialog({ title, action, name, run, onClose }: NameProps) {
  return (
    <FormDialog title={title} action={action} run={(form) => run(typed(form, 'name'))} onClose={onClose}>
      <TextField
        label={<Trans>Name of the passkey</Trans>}
        hint={<Trans>Tells you later which device it is on.</Trans>}
        name="name"
        autoComplete="off"
        maxLength={100}
        defaultValue={name}
        required
      />
    </FormDialog>
  );
}

interface RemovalProps {
  row: Passkey;
  isLast: boolean;
  run: (password: string) => Promise<unknown>;
  onClose: () => void;
}

function Removal({ row, isLast, run, onClose }: RemovalProps) {
  return (
    <FormDialog
      title={<Trans>Remove the passkey {row.name}?</Trans>}
      description={
        isLast ? (
          <Trans>Your password stands alone then: it needs 15 characters or more.</Trans>
        ) : (
          <Trans>It no longer signs you in. Delete it on its device, too.</Trans>
        )
      }
      action={<Trans>Remove</Trans>}
      run={(form) => run(isLast ? String(form.get('password')) : '')}
      onClose={onClose}
    >
      {isLast && <PasswordField label={<Trans>Password</Trans>} name="password" />}
    </FormDialog>
  );
}
