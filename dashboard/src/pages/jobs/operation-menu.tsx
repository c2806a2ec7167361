import { Trans, useLingui } from '@lingui/react/macro';
import { useQueryClient } from '@tanstack/react-query';
import { Ban, Ellipsis, RotateCw } from 'lucide-react';
import { useState } from 'react';
import { hasEnded, type Operation } from '../../api/integrations.ts';
import { cancel, retry } from '../../api/operations.ts';
import { useMay } from '../../frame/me.ts';
import { IconButton } from '../../parts/button.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { Menu, MenuItem } from '../../parts/menu.tsx';
import { toast } from '../../parts/toast.tsx';
import { sentence } from '../../words/errors.ts';
import { OPERATION_KIND } from '../../words/labels.ts';

export function mayBeRetried({ state }: Operation): boolean {
  return state === 'failed' || state === 'cancelled';
}

/** Everything that is done with one operation. */
export function OperationMenu({ row }: { row: Operation }) {
  const { t, i18n } = useLingui();
  const may = useMay();
  const queryClient = useQueryClient();
  const [isAsking, setAsking] = useState(false);
  const kind = i18n._(OPERATION_KIND[row.kind]);
  const refresh = () => queryClient.invalidateQueries({ queryKey: ['operations'] });

  async function again() {
    try {
      await retry(row.id);
      toast(t`${kind}: tried again`);
    } catch (error) {
      toast(sentence(i18n, error), 'bad');
    }
    await refresh();
  }

  if (!may('operations.update')) return null;
  return (
    <>
      <Menu
        trigger={
          <IconButton label={t`Actions of ${kind}`}>
            <Ellipsis size={16} aria-hidden />
          </IconButton>
        }
      >
        <MenuItem isDisabled={!mayBeRetried(row)} onSelect={() => void again()}>
          <RotateCw size={14} aria-hidden />
          <Trans>Retry</Trans>
        </MenuItem>
        <MenuItem isDangerous isDisabled={hasEnded(row)} onSelect={() => setAsking(true)}>
          <Ban size={14} aria-hidden />
          <Trans>Call off</Trans>
        </MenuItem>
      </Menu>
      {isAsking && (
        <Confirm
          title={<Trans>Call “{kind}” off?</Trans>}
          action={<Trans>Call off</Trans>}
          run={() => cancel(row.id).then(refresh)}
          onClose={() => setAsking(false)}
        >
          <Trans>It is not tried any further, and neither are its children. What has been done stays.</Trans>
        </Confirm>
      )}
    </>
  );
}
