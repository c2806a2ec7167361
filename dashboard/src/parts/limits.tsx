import { Trans, useLingui } from '@lingui/react/macro';
import type { ReactNode } from 'react';
import type { Schemas } from '../api/client.ts';
import { TextField } from './field.tsx';
import { writeMoney } from './money.tsx';
import { typed } from './typed.ts';

type Limits = Schemas['LimitsView'];
type LimitName = keyof Limits;

const NANO_DIGITS = 9;
/** Up to the largest amount that a number of JSON keeps exactly. */
const DOLLARS = String.raw`[0-8]?\d{1,6}([.,]\d{1,9})?`;
const BUDGETS = ['daily_budget_nano_usd', 'monthly_budget_nano_usd'] as const;
const RATES = ['requests_per_minute', 'tokens_per_minute'] as const;

/** Reads dollars as people write them into billionths; null: nothing was typed. */
export function readDollars(text: string): number | null {
  if (text === '') return null;
  const [whole = '', rest = ''] = text.replace(',', '.').split('.');
  return Number(whole + rest.padEnd(NANO_DIGITS, '0').slice(0, NANO_DIGITS));
}

/** Writes billionths as dollars for a field, without a sign. */
export function writeDollars(nanoUsd: number): string {
  const digits = BigInt(nanoUsd)
    .toString()
    .padStart(NANO_DIGITS + 1, '0');
  const rest = digits.slice(-NANO_DIGITS).replace(/0+$/, '');
  return digits.slice(0, -NANO_DIGITS) + (rest === '' ? '' : `.${rest}`);
}

/** Reads the fields of [`LimitFields`]; an empty one removes its limit. */
export function readLimits(form: FormData): Record<LimitName, number | null> {
  const count = (name: LimitName) => (typed(form, name) === '' ? null : Number(typed(form, name)));
  return {
    requests_per_minute: count('requests_per_minute'),
    tokens_per_minute: count('tokens_per_minute'),
    daily_budget_nano_usd: readDollars(typed(form, 'daily_budget_nano_usd')),
    monthly_budget_nano_usd: readDollars(typed(form, 'monthly_budget_nano_usd')),
  };
}

/** Fields for limits. Empty: no limit of that kind. */
export function LimitFields({ limits }: { limits?: Limits }) {
  const { t } = useLingui();
  const labels: Record<LimitName, string> = {
    requests_per_minute: t`Requests per minute`,
    tokens_per_minute: t`Tokens per minute`,
    daily_budget_nano_usd: t`US dollars per day`,
    monthly_budget_nano_usd: t`US dollars per month`,
  };
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-2 font-medium">
        <Trans>Limits</Trans>
      </legend>
      <div className="grid grid-cols-2 gap-3">
        {RATES.map((name) => (
          <TextField
            key={name}
            label={labels[name]}
            name={name}
            type="number"
            min={0}
            max={Number.MAX_SAFE_INTEGER}
            step={1}
            placeholder={t`no limit`}
            defaultValue={limits?.[name] ?? ''}
          />
        ))}
        {BUDGETS.map((name) => (
          <DollarField key={name} label={labels[name]} name={name} nanoUsd={limits?.[name]} />
        ))}
      </div>
      <p className="text-small text-soft">
        <Trans>Days and months are those of UTC.</Trans>
      </p>
    </fieldset>
  );
}

interface DollarProps {
  label: ReactNode;
  name: string;
  nanoUsd: number | null | undefined;
  isRequired?: boolean;
}

/** Field for an amount in US dollars. */
export function DollarField({ label, name, nanoUsd, isRequired = false }: DollarProps) {
  const { t } = useLingui();
  return (
    <TextField
      label={label}
      name={name}
      inputMode="decimal"
      pattern={DOLLARS}
      title={t`An amount like 25 or 0.50`}
      autoComplete="off"
      required={isRequired}
      placeholder={isRequired ? undefined : t`no limit`}
      defaultValue={typeof nanoUsd === 'number' ? writeDollars(nanoUsd) : ''}
    />
  );
}

/** Limits in a line. */
export function LimitSummary({ limits }: { limits: Limits }) {
  const { t, i18n } = useLingui();
  const number = (value: number) => new Intl.NumberFormat(i18n.locale, { notation: 'compact' }).format(value);
  const given: string[] = [];
  const { requests_per_minute, tokens_per_minute, daily_budget_nano_usd, monthly_budget_nano_usd } = limits;
  if (typeof daily_budget_nano_usd === 'number') given.push(t`${writeMoney(daily_budget_nano_usd, i18n.locale)} a day`);
  if (typeof monthly_budget_nano_usd === 'number') {
    given.push(t`${writeMoney(monthly_budget_nano_usd, i18n.locale)} a month`);
  }
  if (typeof requests_per_minute === 'number') given.push(t`${number(requests_per_minute)} requests/min`);
  if (typeof tokens_per_minute === 'number') given.push(t`${number(tokens_per_minute)} tokens/min`);
  if (given.length === 0) return <span className="text-soft">{t`none`}</span>;
  const text = given.join(' · ');
  return (
    <span className="block max-w-72 truncate tabular-nums" title={text}>
      {text}
    </span>
  );
}
