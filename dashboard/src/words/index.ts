/** Languages of the dashboard. The catalogues below this folder are made by `npm run words`. */
import { i18n } from '@lingui/core';

export type Locale = 'en' | 'es';

/** Each language under the name that its speakers know. */
export const LOCALES: Record<Locale, string> = { en: 'English', es: 'Español' };

/** Loads a language and shows it; nobody loads one that is not shown. */
export async function activate(locale: Locale) {
  const { messages } = await (locale === 'es' ? import('./catalogues/es.po') : import('./catalogues/en.po'));
  i18n.loadAndActivate({ locale, messages });
  document.documentElement.lang = locale;
}

/** Shows a language and keeps the choice. */
export async function choose(locale: Locale) {
  localStorage.setItem('locale', locale);
  await activate(locale);
}
