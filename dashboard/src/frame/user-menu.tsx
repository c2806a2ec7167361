import { Trans, useLingui } from '@lingui/react/macro';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { ChevronsUpDown, LogOut } from 'lucide-react';
import { keepLocale, signOut } from '../api/session.ts';
import { Menu, MenuChoice, MenuItem, MenuLine } from '../parts/menu.tsx';
import { toast } from '../parts/toast.tsx';
import { setTheme, useTheme, type Theme } from '../theme.ts';
import { sentence } from '../words/errors.ts';
import { choose, LOCALES, type Locale } from '../words/index.ts';
import { useMe } from './me.ts';

/** Person, language, theme, and the way out. */
export function UserMenu() {
  const { i18n } = useLingui();
  const theme = useTheme();
  const { user } = useMe();
  const queryClient = useQueryClient();
  const navigate = useNavigate();

  async function leave() {
    try {
      await signOut();
    } catch (error) {
      toast(sentence(i18n, error), 'bad');
      return;
    }
    queryClient.clear();
    await navigate({ to: '/sign-in' });
  }

  async function speak(locale: Locale) {
    await choose(locale);
    // The page speaks it already; letters follow when the server knows it.
    await keepLocale(locale).catch((error: unknown) => toast(sentence(i18n, error), 'bad'));
  }

  return (
    <Menu
      side="top"
      trigger={
        <button type="button" className="flex items-center gap-2 rounded-base px-2 py-1.5 text-left hover:bg-sunken">
          <span className="sr-only">
            <Trans>Account</Trans>
          </span>
          <span
            aria-hidden
            className="flex size-6 shrink-0 items-center justify-center rounded-full bg-accent-soft text-small font-semibold text-accent"
          >
            {user?.name.slice(0, 1).toUpperCase()}
          </span>
          <span className="min-w-0 grow">
            <span className="block truncate font-medium">{user?.name}</span>
            <span className="block truncate text-small text-soft">{user?.email}</span>
          </span>
          <ChevronsUpDown size={14} aria-hidden className="shrink-0 text-soft" />
        </button>
      }
    >
      <MenuChoice<Theme>
        label={<Trans>Theme</Trans>}
        value={theme}
        onChoose={setTheme}
        options={[
          { value: 'system', label: <Trans>As the system</Trans> },
          { value: 'light', label: <Trans>Light</Trans> },
          { value: 'dark', label: <Trans>Dark</Trans> },
        ]}
      />
      <MenuLine />
      <MenuChoice<Locale>
        label={<Trans>Language</Trans>}
        value={i18n.locale as Locale}
        onChoose={(locale) => void speak(locale)}
        options={(Object.keys(LOCALES) as Locale[]).map((locale) => ({
          value: locale,
          label: LOCALES[locale],
          lang: locale,
        }))}
      />
      <MenuLine />
      <MenuItem onSelect={() => void leave()}>
        <LogOut size={14} aria-hidden />
        <Trans>Sign out</Trans>
      </MenuItem>
    </Menu>
  );
}
