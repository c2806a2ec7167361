import { Trans, useLingui } from '@lingui/react/macro';
import { useQueryClient } from '@tanstack/react-query';
import { Ban, Ellipsis, Power, SlidersHorizontal } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { changeKey, type VirtualKey } from '../../api/virtual-keys.ts';
import { useMay } from '../../frame/me.ts';
import { IconButton } from '../../parts/button.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { Menu, MenuItem, MenuLine } from '../../parts/menu.tsx';
import { useNow } from '../../parts/time.tsx';
import { toast } from '../../parts/toast.tsx';
import { sentence } from '../../words/errors.ts';
import { keyStatus } from './key-status.tsx';
import { RevokeDialog } from './revoke-dialog.tsx';

const EditDialog = lazy(() => import('./key-dialog.tsx').then((dialogs) => ({ default: dialogs.EditDialog })));

type Open = 'edit' | 'disable' | 'revoke' | null;

/** Everything that is done with one virtual key. */
export function RowMenu({ row }: { row: VirtualKey }) {
  const { t, i18n } = useLingui();
  const may = useMay();
  const queryClient = useQueryClient();
  const [open, setOpen] = useState<Open>(null);
  const status = keyStatus(row, useNow());
  const isDisabled = row.limits.requests_per_minute === 0;
  const isFixed = status === 'revoked' || !may('virtual_keys.update');
  const close = () => setOpen(null);

  async function passing(requests_per_minute: number | null) {
    await changeKey(row, { limits: { requests_per_minute } });
    await queryClient.invalidateQueries({ queryKey: ['virtual-keys'] });
  }

  return (
    <>
      <Menu
        trigger={
          <IconButton label={t`Actions of ${row.name}`}>
            <Ellipsis size={16} aria-hidden />
          </IconButton>
        }
      >
        <MenuItem isDisabled={isFixed} onSelect={() => setOpen('edit')}>
          <SlidersHorizontal size={14} aria-hidden />
          <Trans>Name, expiry, limits</Trans>
        </MenuItem>
        <MenuItem
          isDisabled={isFixed}
          onSelect={() =>
            isDisabled
              ? void passing(null).then(
                  () => toast(t`${row.name} works again`),
                  (error: unknown) => toast(sentence(i18n, error), 'bad'),
                )
              : setOpen('disable')
          }
        >
          <Power size={14} aria-hidden />
          {isDisabled ? <Trans>Enable</Trans> : <Trans>Disable</Trans>}
        </MenuItem>
        <MenuLine />
        <MenuItem
          isDangerous
          isDisabled={status === 'revoked' || !may('virtual_keys.delete')}
          onSelect={() => setOpen('revoke')}
        >
          <Ban size={14} aria-hidden />
          <Trans>Revoke</Trans>
        </MenuItem>
      </Menu>
      {open === 'edit' && (
        <Suspense>
          <EditDialog row={row} onClose={close} />
        </Suspense>
      )}
      {open === 'disable' && (
        <Confirm
          title={<Trans>Disable {row.name}?</Trans>}
          action={<Trans>Disable</Trans>}
          run={() => passing(0)}
          onClose={close}
        >
          <Trans>
            Its limit becomes no request per minute, so its calls are refused within a second. Enabling it removes that
            limit; one that it has now is not brought back.
          </Trans>
        </Confirm>
      )}
      {open === 'revoke' && <RevokeDialog row={row} onClose={close} />}
    </>
  );
}
