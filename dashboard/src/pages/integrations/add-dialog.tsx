import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type SubmitEvent } from 'react';
import { given } from '../../api/client.ts';
import { projects, providers, submit } from '../../api/integrations.ts';
import { Button } from '../../parts/button.tsx';
import { Actions, Dialog } from '../../parts/dialog.tsx';
import { SelectField, TextField } from '../../parts/field.tsx';
import { Failure } from '../../parts/states.tsx';
import { CredentialField, credentialOf } from './credential-field.tsx';
import { Verification } from './verification.tsx';

interface Typed {
  provider: string;
  name: string;
  project_id: string;
  base_url: string;
  credential: string;
}

const NOTHING: Typed = { provider: 'openai', name: '', project_id: '', base_url: '', credential: '' };

/** Submits a provider's key, then shows its verification as it happens. */
export default function AddDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLingui();
  const queryClient = useQueryClient();
  const [typed, setTyped] = useState(NOTHING);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [begun, setBegun] = useState<{ integrationId: string; operationId: string } | null>(null);
  const set = (change: Partial<Typed>) => setTyped((before) => ({ ...before, ...change }));

  async function onSubmit(event: SubmitEvent) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const { provider, name, project_id, base_url, credential } = typed;
      const config = given({ base_url: base_url.trim() });
      const credentials = credentialOf(provider, credential);
      const accepted = await submit({ provider, name: name.trim(), credentials, config, ...given({ project_id }) });
      // Not kept a moment longer than needed.
      setTyped({ ...NOTHING, provider, project_id });
      await queryClient.invalidateQueries({ queryKey: ['integrations'] });
      if (accepted.operation) setBegun({ integrationId: accepted.integration.id, operationId: accepted.operation.id });
      else onClose();
    } catch (reason) {
      setError(reason);
    } finally {
      setBusy(false);
    }
  }

  return (
    <Dialog
      isOpen
      isKept
      title={t`New integration`}
      description={t`The key is sealed before it is stored, and verified with the provider.`}
      onClose={onClose}
    >
      {begun === null ? (
        <form onSubmit={(event) => void onSubmit(event)} className="flex flex-col gap-3.5">
          <Fields typed={typed} set={set} />
          <Failure error={error} />
          <Actions>
            <Button onClick={onClose}>
              <Trans>Cancel</Trans>
            </Button>
            <Button type="submit" look="primary" isBusy={isBusy}>
              <Trans>Save and verify</Trans>
            </Button>
          </Actions>
        </form>
      ) : (
        <>
          <Verification {...begun} />
          <Actions>
            <Button onClick={() => setBegun(null)}>
              <Trans>Add another</Trans>
            </Button>
            <Button look="primary" onClick={onClose}>
              <Trans>Done</Trans>
            </Button>
          </Actions>
        </>
      )}
    </Dialog>
  );
}

function Fields({ typed, set }: { typed: Typed; set: (change: Partial<Typed>) => void }) {
  const { t } = useLingui();
  const known = useQuery(providers).data ?? [];
  const own = useQuery(projects).data ?? [];
  const chosen = known.find(({ name }) => name === typed.provider);
  const groups = [
    { label: t`Predefined`, rows: known.filter(({ custom }) => !custom) },
    { label: t`Your own`, rows: known.filter(({ custom }) => custom) },
  ].filter(({ rows }) => rows.length > 0);
  const address = (
    <TextField
      label={<Trans>Base URL</Trans>}
      hint={t`Bound to the key. Left empty: the provider's own.`}
      name="base_url"
      type="url"
      placeholder={chosen?.base_url}
      value={typed.base_url}
      required={chosen?.needs_base_url ?? false}
      onChange={(event) => set({ base_url: event.target.value })}
    />
  );
  return (
    <>
      <SelectField
        label={<Trans>Provider</Trans>}
        name="provider"
        value={typed.provider}
        onChange={(event) => set({ provider: event.target.value, base_url: '' })}
      >
        {groups.map(({ label, rows }) => (
          <optgroup key={label} label={label}>
            {rows.map(({ name, display_name }) => (
              <option key={name} value={name}>
                {display_name}
              </option>
            ))}
          </optgroup>
        ))}
      </SelectField>
      <TextField
        label={<Trans>Name</Trans>}
        name="name"
        autoComplete="off"
        maxLength={100}
        placeholder={t`production`}
        value={typed.name}
        required
        onChange={(event) => set({ name: event.target.value })}
      />
      {own.length > 1 && (
        <SelectField
          label={<Trans>Project</Trans>}
          name="project_id"
          value={typed.project_id}
          onChange={(event) => set({ project_id: event.target.value })}
        >
          <option value="">{t`The default one`}</option>
          {own.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </SelectField>
      )}
      <CredentialField
        provider={typed.provider}
        names={new Map(known.map(({ name, display_name }) => [name, display_name]))}
        value={typed.credential}
        onChange={(credential) => set({ credential })}
      />
      {chosen?.needs_base_url ? (
        address
      ) : (
        <details>
          <summary className="text-soft select-none hover:text-ink">
            <Trans>More settings</Trans>
          </summary>
          <div className="mt-3">{address}</div>
        </details>
      )}
    </>
  );
}
