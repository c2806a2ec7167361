import { Trans, useLingui } from '@lingui/react/macro';
import { Dialog } from '../parts/dialog.tsx';
import type { NavigationEntry } from './navigation.ts';

/** Every key of the keyboard that does something here. */
export default function KeyList({ entries, onClose }: { entries: NavigationEntry[]; onClose: () => void }) {
  const { t, i18n } = useLingui();
  const rows = [
    { keys: ['/'], label: t`Search` },
    ...entries.map((entry) => ({ keys: ['g', entry.key], label: i18n._(entry.label) })),
    { keys: ['?'], label: t`List the keys` },
  ];
  return (
    <Dialog isOpen title={<Trans>Keyboard</Trans>} onClose={onClose}>
      <dl className="grid grid-cols-[auto_1fr] items-center gap-x-6 gap-y-2">
        {rows.map((row) => (
          <div key={row.keys.join(' ')} className="contents">
            <dt className="flex gap-1">
              {row.keys.map((key) => (
                <kbd key={key} className="rounded-small border border-line bg-sunken px-1.5 font-mono text-small">
                  {key}
                </kbd>
              ))}
            </dt>
            <dd>{row.label}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
