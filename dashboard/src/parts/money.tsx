import { useLingui } from '@lingui/react/macro';

const NANO = 1_000_000_000n;

/** Writes billionths of a dollar for a locale; no digit is lost on the way, however long the number is. */
export function writeMoney(nanoUsd: string | number | bigint, locale: string): string {
  const value = BigInt(nanoUsd);
  const size = value < 0n ? -value : value;
  const decimal = `${value < 0n ? '-' : ''}${size / NANO}.${(size % NANO).toString().padStart(9, '0')}`;
  // Cents would show what a call costs as nothing.
  const digits = size !== 0n && size < NANO / 10n ? 6 : 2;
  const format = new Intl.NumberFormat(locale, { style: 'currency', currency: 'USD', maximumFractionDigits: digits });
  // A text is written exactly, not through a double; the type does not know of it yet.
  return format.format(decimal as never);
}

/** Amount of money. Unknown is said, never shown as nothing. */
export function Money({ nanoUsd }: { nanoUsd: string | number | bigint | null | undefined }) {
  const { i18n, t } = useLingui();
  if (nanoUsd === null || nanoUsd === undefined) return <span className="text-soft">{t`unknown`}</span>;
  return <span className="tabular-nums">{writeMoney(nanoUsd, i18n.locale)}</span>;
}
