import { useLingui } from '@lingui/react/macro';
import type { Call } from '../../api/requests.ts';
import { StatusBadge, type Tone } from '../../parts/status.tsx';
import { CALL_OUTCOME } from '../../words/labels.ts';

function toneOf({ outcome, http_status }: Call): Tone {
  if (outcome === 'refused') return 'warn';
  if (outcome === 'settled') return 'idle';
  if (outcome === 'broken_off') return 'bad';
  return typeof http_status === 'number' && http_status >= 400 ? 'bad' : 'ok';
}

/** How a call ended, and with which status. */
export function CallStatus({ call }: { call: Call }) {
  const { i18n } = useLingui();
  const status = typeof call.http_status === 'number' ? call.http_status : null;
  const word = call.outcome === 'refused' ? (call.refused_code ?? '') : i18n._(CALL_OUTCOME[call.outcome]);
  return (
    <StatusBadge tone={toneOf(call)}>
      {status !== null && <span className="tabular-nums">{status}</span>}
      <span className={status !== null ? 'max-md:sr-only' : ''}>{word}</span>
    </StatusBadge>
  );
}
