import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { beginTotp, confirmTotp, factors, removeTotp, replaceRecoveryCodes, type NewTotp } from '../../api/factors.ts';
import { Button } from '../../parts/button.tsx';
import { PasswordField, TextField } from '../../parts/field.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { Once } from '../../parts/once.tsx';
import { Failure } from '../../parts/states.tsx';
import { typed } from '../../parts/typed.ts';
import { Codes } from './codes.tsx';

type Step = { app: NewTotp } | { codes: string[] } | 'remove' | null;

/** One's own authenticator app, and recovery codes in case factors are lost. */
export function Factors() {
  const queryClient = useQueryClient();
  const { data: own, error } = useQuery(factors);
  const [step, setStep] = useState<Step>(null);
  const [refusal, setRefusal] = useState<unknown>(null);

  async function run(act: () => Promise<Step>) {
    setRefusal(null);
    try {
      setStep(await act());
    } catch (reason) {
      setRefusal(reason);
    }
    await queryClient.invalidateQueries({ queryKey: ['factors'] });
  }

  if (own === undefined) return <Failure error={error} />;
  const hasFactor = own.totp !== null || own.passkeys > 0;
  return (
    <div className="flex flex-col items-start gap-3">
      <p>
        {own.totp ? <Trans>An authenticator app is in use.</Trans> : <Trans>No authenticator app is in use.</Trans>}{' '}
        {hasFactor && (
          <Plural value={own.recovery_codes_left} one="# recovery code is left." other="# recovery codes are left." />
        )}
      </p>
      <Failure error={refusal} />
      <div className="flex flex-wrap gap-2">
        {hasFactor && (
          <Button onClick={() => void run(async () => ({ codes: await replaceRecoveryCodes() }))}>
            <Trans>New recovery codes</Trans>
          </Button>
        )}
        {own.totp ? (
          <Button look="danger" onClick={() => setStep('remove')}>
            <Trans>Remove the app</Trans>
          </Button>
        ) : (
          <Button onClick={() => void run(async () => ({ app: await beginTotp() }))}>
            <Trans>Add an authenticator app</Trans>
          </Button>
        )}
      </div>
      {step === 'remove' && <Removal isLast={own.passkeys === 0} run={run} onClose={() => setStep(null)} />}
      {step !== null && step !== 'remove' && 'app' in step && (
        <NewApp app={step.app} onCodes={(codes) => run(async () => ({ codes }))} onClose={() => setStep(null)} />
      )}
      {step !== null && step !== 'remove' && 'codes' in step && (
        <Codes codes={step.codes} onClose={() => setStep(null)} />
      )}
    </div>
  );
}

function NewApp({
  app,
  onCodes,
  onClose,
}: {
  app: NewTotp;
  onCodes: (codes: string[]) => Promise<void>;
  onClose: () => void;
}) {
  const { t } = useLingui();
  return (
    <FormDialog
      title={<Trans>Add an authenticator app</Trans>}
      action={<Trans>Use the app</Trans>}
      run={async (form) => onCodes(await confirmTotp(typed(form, 'totp')))}
      onClose={onClose}
    >
      <Once label={t`Secret of the app`} value={app.secret}>
        <Trans>
          Type it into the app, or{' '}
          <a href={app.url} className="text-accent underline">
            open it in an app on this device
          </a>
          . Then type the code that the app shows.
        </Trans>
      </Once>
      <TextField
        label={<Trans>Code</Trans>}
        name="totp"
        inputMode="numeric"
        autoComplete="one-time-code"
        maxLength={6}
        required
      />
    </FormDialog>
  );
}

interface RemovalProps {
  isLast: boolean;
  run: (act: () => Promise<Step>) => Promise<void>;
  onClose: () => void;
}

function Removal({ isLast, run, onClose }: RemovalProps) {
  return (
    <FormDialog
      title={<Trans>Remove the app</Trans>}
      description={
        isLast ? (
          <Trans>Your password stands alone then: it needs 15 characters or more.</Trans>
        ) : (
          <Trans>Its codes no longer work. Your passkeys stay.</Trans>
        )
      }
      action={<Trans>Remove</Trans>}
      run={async (form) => {
        await removeTotp(isLast ? String(form.get('password')) : '');
        await run(() => Promise.resolve(null));
      }}
      onClose={onClose}
    >
      {isLast && <PasswordField label={<Trans>Password</Trans>} name="password" />}
    </FormDialog>
  );
}
