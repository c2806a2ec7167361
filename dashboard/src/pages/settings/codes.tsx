import { Trans, useLingui } from '@lingui/react/macro';
import { Button } from '../../parts/button.tsx';
import { Actions, Dialog } from '../../parts/dialog.tsx';
import { Once } from '../../parts/once.tsx';

/** Recovery codes, shown once. */
export function Codes({ codes, onClose }: { codes: string[]; onClose: () => void }) {
  const { t } = useLingui();
  return (
    <Dialog isOpen isKept title={<Trans>Recovery codes</Trans>} onClose={onClose}>
      <Once label={t`Recovery codes`} value={codes.join(' ')}>
        <Trans>Each stands in for a lost factor once. They are shown this once; earlier ones no longer work.</Trans>
      </Once>
      <Actions>
        <Button look="primary" onClick={onClose}>
          <Trans>I have kept them</Trans>
        </Button>
      </Actions>
    </Dialog>
  );
}
