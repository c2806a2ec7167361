import { useLingui } from '@lingui/react/macro';
import type { ReactNode } from 'react';
import { Select } from '../parts/field.tsx';
import { choose, LOCALES, type Locale } from '../words/index.ts';
import { Mark } from './mark.tsx';

/** What stands around the pages for those who have not signed in. */
export function Door({ title, note, children }: { title: ReactNode; note?: ReactNode; children: ReactNode }) {
  const { t, i18n } = useLingui();
  return (
    <main className="flex min-h-dvh flex-col items-center px-4 py-10 md:justify-center">
      <div className="flex w-full max-w-96 flex-col gap-5">
        <Mark />
        <div className="rounded-large border border-line bg-panel p-6">
          <h1 className="text-title font-semibold tracking-tight">{title}</h1>
          {note !== undefined && <p className="mt-1 text-soft">{note}</p>}
          <div className="mt-5">{children}</div>
        </div>
        <Select
          aria-label={t`Language`}
          className="self-start"
          value={i18n.locale}
          onChange={(event) => void choose(event.target.value as Locale)}
        >
          {Object.entries(LOCALES).map(([locale, name]) => (
            <option key={locale} value={locale} lang={locale}>
              {name}
            </option>
          ))}
        </Select>
      </div>
    </main>
  );
}
