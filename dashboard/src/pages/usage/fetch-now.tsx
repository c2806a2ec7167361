import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { RefreshCw } from 'lucide-react';
import { useEffect, useState } from 'react';
import { hasEnded, operation } from '../../api/integrations.ts';
import { fetchUsage } from '../../api/usage.ts';
import { Button } from '../../parts/button.tsx';
import { toast } from '../../parts/toast.tsx';
import { sentence } from '../../words/errors.ts';

/** Has providers asked for what they report of the last days, and says how far that is. */
export function FetchNow({ integrationId }: { integrationId?: string }) {
  const { t, i18n } = useLingui();
  const queryClient = useQueryClient();
  const [operationId, setOperationId] = useState<string | null>(null);
  const work = useQuery({ ...operation(operationId ?? ''), enabled: operationId !== null }).data;
  const isOver = operationId !== null && work !== undefined && hasEnded(work);

  useEffect(() => {
    if (!isOver || work === undefined) return;
    setOperationId(null);
    void queryClient.invalidateQueries({ queryKey: ['usage'] });
    const failed = work.failed ?? 0;
    if (work.state === 'succeeded' && failed === 0) toast(t`Usage is fetched`);
    else toast(work.error?.message ?? t`Usage was not fetched for all keys (${failed} failed)`, 'bad');
  }, [isOver, work, queryClient, t]);

  async function begin() {
    try {
      const { operation: started } = await fetchUsage(
        integrationId === undefined ? {} : { integration_id: integrationId },
      );
      setOperationId(started.id);
    } catch (error) {
      toast(sentence(i18n, error), 'bad');
    }
  }

  const ended = (work?.done ?? 0) + (work?.failed ?? 0);
  const total = work?.total;
  return (
    <Button isBusy={operationId !== null} onClick={() => void begin()}>
      <RefreshCw size={14} aria-hidden className={operationId === null ? '' : 'animate-spin'} />
      {operationId !== null && typeof total === 'number' ? (
        <Trans>
          {ended} of {total} fetched
        </Trans>
      ) : (
        <Trans>Fetch now</Trans>
      )}
    </Button>
  );
}
