import { Trans } from '@lingui/react/macro';
import { Dialog } from '../../parts/dialog.tsx';
import { Connect } from './connect.tsx';

/** Shows how an application is connected. */
export default function ConnectDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog
      isOpen
      isWide
      title={<Trans>Connect an application</Trans>}
      description={<Trans>Point it here and give it a virtual key in place of a provider key.</Trans>}
      onClose={onClose}
    >
      <Connect />
    </Dialog>
  );
}
