import { useLingui } from '@lingui/react/macro';
import type { IntegrationStatus } from '../../api/integrations.ts';
import { StatusBadge, type Tone } from '../../parts/status.tsx';
import { INTEGRATION_STATUS } from '../../words/labels.ts';

const TONES: Record<IntegrationStatus, Tone> = { verifying: 'busy', connected: 'ok', error: 'bad', disabled: 'idle' };

export function IntegrationStatusBadge({ status }: { status: IntegrationStatus }) {
  const { i18n } = useLingui();
  return <StatusBadge tone={TONES[status]}>{i18n._(INTEGRATION_STATUS[status])}</StatusBadge>;
}
