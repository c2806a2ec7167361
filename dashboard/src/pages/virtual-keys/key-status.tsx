import { useLingui } from '@lingui/react/macro';
import type { VirtualKey } from '../../api/virtual-keys.ts';
import { StatusBadge, type Tone } from '../../parts/status.tsx';
import { useNow } from '../../parts/time.tsx';

export type KeyStatus = 'active' | 'disabled' | 'expired' | 'revoked';

const TONES: Record<KeyStatus, Tone> = { active: 'ok', disabled: 'idle', expired: 'warn', revoked: 'bad' };

type Row = Pick<VirtualKey, 'revoked_at' | 'expires_at' | 'limits'>;

/** Tells whether a key works. The API has no word for it: it follows from its times, and from a limit of no request. */
export function keyStatus({ revoked_at, expires_at, limits }: Row, nowMs: number): KeyStatus {
  if (typeof revoked_at === 'string') return 'revoked';
  if (typeof expires_at === 'string' && Date.parse(expires_at) <= nowMs) return 'expired';
  return limits.requests_per_minute === 0 ? 'disabled' : 'active';
}

export function KeyStatusBadge({ row }: { row: Row }) {
  const { t } = useLingui();
  const status = keyStatus(row, useNow());
  const words = { active: t`Active`, disabled: t`Disabled`, expired: t`Expired`, revoked: t`Revoked` };
  return <StatusBadge tone={TONES[status]}>{words[status]}</StatusBadge>;
}
