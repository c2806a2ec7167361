/** How the page of the usage writes its groups and figures. */
import type { I18n } from '@lingui/core';
import { msg } from '@lingui/core/macro';
import { writeMoney } from '../../parts/money.tsx';
import { OTHERS } from './figures.ts';
import type { Group, Unit } from './search.ts';

export const GROUP = {
  model: msg`Model`,
  provider: msg`Provider`,
  integration: msg`Integration`,
  virtual_key: msg`Virtual key`,
  project: msg`Project`,
  day: msg`Day`,
};

const NONE = {
  model: msg`Model unknown`,
  provider: msg`No provider chosen`,
  integration: msg`No integration`,
  virtual_key: msg`No virtual key`,
  project: msg`No project`,
  day: msg`All calls`,
};

/** Names a group by its key; `nameOf` knows the names of ids. */
export function writeGroup(i18n: I18n, group: Group, key: string, nameOf: (id: string) => string): string {
  if (key === OTHERS) return i18n._(msg`Others`);
  if (key === '') return i18n._(NONE[group]);
  return nameOf(key);
}

/** Writes a figure in full; unknown is a word. */
export function writeFigure(i18n: I18n, value: bigint | null, unit: Unit): string {
  if (value === null) return i18n._(msg`unknown`);
  return unit === 'money' ? writeMoney(value, i18n.locale) : new Intl.NumberFormat(i18n.locale).format(value);
}

/** Writes a day of UTC. */
export function writeDay(day: string, locale: string): string {
  return new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' }).format(
    new Date(day),
  );
}
