import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { beginTotp, confirmTotp, factors, removeTotp, replaceRecoveryCodes, type NewTotp } from '../../api/factors.ts';
import { Button } from '../../parts/button.tsx';
import { Actions, Dialog } from '../../parts/dialog.tsx';
import { PasswordField, TextField } from '../../parts/field.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { Once } from '../../parts/once.tsx';
import { Failure } from '../../parts/states.tsx';
import { typed } from '../../parts/typed.ts';

type Step = { app: NewTotp } | { codes: string[] } | 'remove' | null;

/** One's own second factor: an authenticator app, with recovery codes in case it is lost. */
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
  return (
    <div className="flex flex-col items-start gap-3">
      {own.totp ? (
        <p>
          <Trans>An authenticator app is in use.</Trans>{' '}
          <Plural value={own.recovery_codes_left} one="# recovery code is left." other="# recovery codes are left." />
        </p>
      ) : (
        <p>
          <Trans>None is in use.</Trans>
        </p>
      )}
      <Failure error={refusal} />
      <div className="flex flex-wrap gap-2">
        {own.totp ? (
          <>
            <Button onClick={() => void run(async () => ({ codes: await replaceRecoveryCodes() }))}>
              <Trans>New recovery codes</Trans>
            </Button>
            <Button look="danger" onClick={() => setStep('remove')}>
              <Trans>Remove the app</Trans>
            </Button>
          </>
        ) : (
          <Button onClick={() => void run(async () => ({ app: await beginTotp() }))}>
            <Trans>Add an authenticator app</Trans>
          </Button>
        )}
      </div>
      {step === 'remove' && <Removal run={run} onClose={() => setStep(null)} />}
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

function Codes({ codes, onClose }: { codes: string[]; onClose: () => void }) {
  const { t } = useLingui();
  return (
    <Dialog isOpen isKept title={<Trans>Recovery codes</Trans>} onClose={onClose}>
      <Once label={t`Recovery codes`} value={codes.join(' ')}>
        <Trans>Each stands in for the app once. They are shown this once; earlier ones no longer work.</Trans>
      </Once>
      <Actions>
        <Button look="primary" onClick={onClose}>
          <Trans>I have kept them</Trans>
        </Button>
      </Actions>
    </Dialog>
  );
}

function Removal({ run, onClose }: { run: (act: () => Promise<Step>) => Promise<void>; onClose: () => void }) {
  return (
    <FormDialog
      title={<Trans>Remove the app</Trans>}
      description={<Trans>Your password stands alone then: it needs 15 characters or more.</Trans>}
      action={<Trans>Remove</Trans>}
      run={async (form) => {
        await removeTotp(String(form.get('password')));
        await run(() => Promise.resolve(null));
      }}
      onClose={onClose}
    >
      <PasswordField label={<Trans>Password</Trans>} name="password" required />
    </FormDialog>
  );
}
