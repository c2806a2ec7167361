import { Trans, useLingui } from '@lingui/react/macro';
import type { ReactNode } from 'react';
import type { Call } from '../../api/requests.ts';

interface Span {
  id: string;
  label: ReactNode;
  ms: number;
  className: string;
}

/** Where the time of a call went: in Keyway, until the first byte, and until the last. */
export function Times({ call }: { call: Call }) {
  const { i18n } = useLingui();
  const { duration_ms, first_byte_ms, overhead_us } = call;
  const number = new Intl.NumberFormat(i18n.locale, { maximumFractionDigits: 2 });
  if (typeof duration_ms !== 'number') {
    return (
      <p className="text-soft">
        <Trans>Unknown: nobody has seen how this call ended.</Trans>
      </p>
    );
  }
  const inKeyway = (overhead_us ?? 0) / 1000;
  const spans: Span[] = [
    { id: 'keyway', label: <Trans>in Keyway, before the provider</Trans>, ms: inKeyway, className: 'bg-warn' },
    ...(typeof first_byte_ms === 'number'
      ? [
          {
            id: 'first',
            label: <Trans>until the first byte</Trans>,
            ms: Math.max(0, first_byte_ms - inKeyway),
            className: 'bg-accent',
          },
          {
            id: 'rest',
            label: <Trans>until the last byte</Trans>,
            ms: Math.max(0, duration_ms - first_byte_ms),
            className: 'bg-ok',
          },
        ]
      : []),
  ];
  const total = Math.max(duration_ms, 0.01);
  return (
    <div className="flex flex-col gap-2">
      <div aria-hidden className="flex h-3 overflow-hidden rounded-full bg-sunken">
        {spans.map(({ id, ms, className }) => (
          <span key={id} className={className} style={{ width: `${(100 * ms) / total}%` }} />
        ))}
      </div>
      <ul className="flex flex-col gap-1">
        {spans.map(({ id, label, ms, className }) => (
          <li key={id} className="flex items-center gap-2">
            <span aria-hidden className={`size-2 shrink-0 rounded-full ${className}`} />
            <span className="grow text-soft">{label}</span>
            <span className="tabular-nums">
              {id === 'keyway' && typeof overhead_us !== 'number' ? '—' : `${number.format(ms)} ms`}
            </span>
          </li>
        ))}
        <li className="flex items-center gap-2 border-t border-line pt-1 font-medium">
          <span className="grow">
            <Trans>In all</Trans>
          </span>
          <span className="tabular-nums">{number.format(duration_ms)} ms</span>
        </li>
      </ul>
    </div>
  );
}
