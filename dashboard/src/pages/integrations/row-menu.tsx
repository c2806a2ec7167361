import { Trans, useLingui } from '@lingui/react/macro';
import { useQueryClient } from '@tanstack/react-query';
import { Activity, Ellipsis, KeyRound, Power, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { change, remove, test, type Integration } from '../../api/integrations.ts';
import { useMay } from '../../frame/me.ts';
import { IconButton } from '../../parts/button.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { Menu, MenuItem, MenuLine } from '../../parts/menu.tsx';
import { toast } from '../../parts/toast.tsx';
import { sentence } from '../../words/errors.ts';
import { ReplaceDialog } from './replace-dialog.tsx';

type Open = 'replace' | 'disable' | 'delete' | null;

/** Everything that is done with one integration. */
export function RowMenu({ row }: { row: Integration }) {
  const { t, i18n } = useLingui();
  const may = useMay();
  const queryClient = useQueryClient();
  const [open, setOpen] = useState<Open>(null);
  const isDisabled = row.status === 'disabled';
  const refresh = () => queryClient.invalidateQueries({ queryKey: ['integrations'] });
  const close = () => setOpen(null);

  /** Does what needs no question, and says how it went. */
  async function run(work: Promise<unknown>, done: string) {
    try {
      await work;
      toast(done);
    } catch (error) {
      toast(sentence(i18n, error), 'bad');
    }
    await refresh();
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
        <MenuItem
          isDisabled={isDisabled || !may('integrations.use')}
          onSelect={() => void run(test(row.id), t`${row.name} is being verified`)}
        >
          <Activity size={14} aria-hidden />
          <Trans>Test connection</Trans>
        </MenuItem>
        <MenuItem isDisabled={!may('integrations.rotate')} onSelect={() => setOpen('replace')}>
          <KeyRound size={14} aria-hidden />
          <Trans>Replace the key</Trans>
        </MenuItem>
        <MenuItem
          isDisabled={!may('integrations.update')}
          onSelect={() =>
            isDisabled
              ? void run(change(row.id, { enabled: true }), t`${row.name} is being verified`)
              : setOpen('disable')
          }
        >
          <Power size={14} aria-hidden />
          {isDisabled ? <Trans>Enable</Trans> : <Trans>Disable</Trans>}
        </MenuItem>
        <MenuLine />
        <MenuItem isDangerous isDisabled={!may('integrations.delete')} onSelect={() => setOpen('delete')}>
          <Trash2 size={14} aria-hidden />
          <Trans>Delete</Trans>
        </MenuItem>
      </Menu>
      {open === 'replace' && <ReplaceDialog row={row} onClose={close} />}
      {open === 'disable' && (
        <Confirm
          title={<Trans>Disable {row.name}?</Trans>}
          action={<Trans>Disable</Trans>}
          run={() => change(row.id, { enabled: false }).then(refresh)}
          onClose={close}
        >
          <Trans>No call is made with it any more, on any replica within a second. It can be enabled again.</Trans>
        </Confirm>
      )}
      {open === 'delete' && (
        <Confirm
          title={<Trans>Delete {row.name}?</Trans>}
          action={<Trans>Delete</Trans>}
          name={row.name}
          run={() => remove(row.id).then(refresh)}
          onClose={close}
        >
          <Trans>
            The key is destroyed and cannot be brought back. What was used with it stays in usage and audit.
          </Trans>
        </Confirm>
      )}
    </>
  );
}
