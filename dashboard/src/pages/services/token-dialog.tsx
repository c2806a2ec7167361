import { Trans, useLingui } from '@lingui/react/macro';
import type { NewService } from '../../api/services.ts';
import { Button } from '../../parts/button.tsx';
import { Actions, Dialog } from '../../parts/dialog.tsx';
import { Once } from '../../parts/once.tsx';

/** Shows a service's token this once. */
export function TokenDialog({ made, onClose }: { made: NewService; onClose: () => void }) {
  const { t } = useLingui();
  return (
    <Dialog isOpen isKept title={<Trans>Service {made.name}</Trans>} onClose={onClose}>
      <Once label={t`Token`} value={made.token}>
        <Trans>It is shown this once. Programs send it as Authorization: Bearer, or as x-api-key.</Trans>
      </Once>
      <Actions>
        <Button look="primary" onClick={onClose}>
          <Trans>Done</Trans>
        </Button>
      </Actions>
    </Dialog>
  );
}
