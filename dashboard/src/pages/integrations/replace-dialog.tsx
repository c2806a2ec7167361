import { Trans } from '@lingui/react/macro';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type SubmitEvent } from 'react';
import { providers, replace, type Integration } from '../../api/integrations.ts';
import { Button } from '../../parts/button.tsx';
import { Actions, Dialog } from '../../parts/dialog.tsx';
import { Failure } from '../../parts/states.tsx';
import { CredentialField, credentialOf } from './credential-field.tsx';
import { Verification } from './verification.tsx';

/** Puts another key in the place of one that may be in use: the old one serves until the new one is verified. */
export function ReplaceDialog({ row, onClose }: { row: Integration; onClose: () => void }) {
  const queryClient = useQueryClient();
  const known = useQuery(providers);
  const [credential, setCredential] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [operationId, setOperationId] = useState<string | null>(null);

  async function onSubmit(event: SubmitEvent) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const credentials = credentialOf(row.provider, credential);
      // A base URL that is left out becomes the catalog's: an own one is bound to the key and repeated.
      const base_url = row.config.base_url;
      const { operation } = await replace(row.id, { credentials, ...(base_url ? { config: { base_url } } : {}) });
      setCredential('');
      await queryClient.invalidateQueries({ queryKey: ['integrations'] });
      if (operation) setOperationId(operation.id);
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
      title={<Trans>Replace the key of {row.name}</Trans>}
      description={<Trans>A key that works goes on serving until the new one is verified.</Trans>}
      onClose={onClose}
    >
      {operationId === null ? (
        <form onSubmit={(event) => void onSubmit(event)} className="flex flex-col gap-3">
          <CredentialField
            provider={row.provider}
            names={new Map(known.data?.map(({ name, display_name }) => [name, display_name]))}
            value={credential}
            onChange={setCredential}
          />
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
          <Verification integrationId={row.id} operationId={operationId} />
          <Actions>
            <Button look="primary" onClick={onClose}>
              <Trans>Done</Trans>
            </Button>
          </Actions>
        </>
      )}
    </Dialog>
  );
}
