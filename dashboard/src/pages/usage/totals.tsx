import { Plural, Trans, useLingui } from '@lingui/react/macro';
import type { ReactNode } from 'react';
import type { Usage } from '../../api/usage.ts';
import { Money } from '../../parts/money.tsx';
import { change, sum, type Sum } from './figures.ts';
import type { Unit } from './search.ts';
import { writeFigure } from './words.ts';

interface Props {
  rows: Usage[];
  previous: Usage[] | undefined;
}

/** Sums of the range beside those of as many days before it. */
export function Totals({ rows, previous }: Props) {
  const { i18n } = useLingui();
  const now = sum(rows);
  const then = previous === undefined ? undefined : sum(previous);
  const number = (value: bigint | number | null) => writeFigure(i18n, value === null ? null : BigInt(value), 'tokens');
  const own = sum(rows.filter(({ credential }) => credential === 'own'));
  const operators = sum(rows.filter(({ credential }) => credential === 'fallback'));
  const percent = new Intl.NumberFormat(i18n.locale, { style: 'percent', maximumFractionDigits: 1 });
  return (
    <dl className="grid grid-cols-2 gap-px overflow-hidden rounded-large border border-line bg-line md:grid-cols-4">
      <Figure label={<Trans>Cost</Trans>} value={<Money nanoUsd={cost(now)} />}>
        <Change now={now.costNanoUsd} then={then?.costNanoUsd} unit="money" />
        {now.unpriced > 0 && (
          <span className="block text-warn">
            <Plural
              value={now.unpriced}
              one="# call of unknown cost is not in it"
              other="# calls of unknown cost are not in it"
            />
          </span>
        )}
      </Figure>
      <Figure label={<Trans>Tokens</Trans>} value={number(now.requests === 0 ? 0n : now.tokens)}>
        <Change now={now.tokens} then={then?.tokens} unit="tokens" />
        {now.unknownTokens > 0 && (
          <span className="block text-warn">
            <Plural
              value={now.unknownTokens}
              one="# call of unknown size is not in it"
              other="# calls of unknown size are not in it"
            />
          </span>
        )}
      </Figure>
      <Figure label={<Trans>Calls</Trans>} value={number(now.requests)}>
        <Change now={BigInt(now.requests)} then={then && BigInt(then.requests)} unit="tokens" />
        <span className="block">
          <Trans>
            {percent.format(now.requests === 0 ? 0 : now.failed / now.requests)} failed, {number(now.refused)} refused
            by Keyway
          </Trans>
        </span>
      </Figure>
      <Figure label={<Trans>Own keys against the operator's</Trans>} value={<Money nanoUsd={cost(own)} />}>
        <Trans>
          {number(own.requests)} calls with own keys; <Money nanoUsd={cost(operators)} /> for{' '}
          {number(operators.requests)} with the operator's key
        </Trans>
      </Figure>
    </dl>
  );
}

/** No calls cost nothing; that is known. */
function cost(total: Sum): bigint | null {
  return total.requests === 0 ? 0n : total.costNanoUsd;
}

function Figure({ label, value, children }: { label: ReactNode; value: ReactNode; children: ReactNode }) {
  return (
    <div className="bg-panel px-4 py-3">
      <dt className="text-small text-soft">{label}</dt>
      <dd>
        <span className="block text-title font-semibold tracking-tight tabular-nums">{value}</span>
        <span className="block text-small text-soft">{children}</span>
      </dd>
    </div>
  );
}

function Change({ now, then, unit }: { now: bigint | null; then: bigint | null | undefined; unit: Unit }) {
  const { i18n } = useLingui();
  if (then === undefined) return null;
  const percent = change(now, then);
  const format = new Intl.NumberFormat(i18n.locale, { signDisplay: 'exceptZero', maximumFractionDigits: 1 });
  return (
    <span className="block">
      {percent === null ? (
        <Trans>previous period: {writeFigure(i18n, then, unit)}</Trans>
      ) : (
        <Trans>
          {format.format(percent)} % from {writeFigure(i18n, then, unit)} before
        </Trans>
      )}
    </span>
  );
}
