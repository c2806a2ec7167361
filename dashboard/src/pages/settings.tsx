import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { factors } from '../api/factors.ts';
import { changeMe, changePassword, keepLocale, renameTenant } from '../api/session.ts';
import { chosenTenant } from '../api/tenant.ts';
import { useMay, useMe } from '../frame/me.ts';
import { PasswordField, SelectField, TextField } from '../parts/field.tsx';
import { ALONE_CHARS, BESIDE_FACTOR_CHARS, NewPasswordField } from '../parts/new-password.tsx';
import { Page } from '../parts/page.tsx';
import { toast } from '../parts/toast.tsx';
import { typed } from '../parts/typed.ts';
import { setTheme, useTheme, type Theme } from '../theme.ts';
import { sentence } from '../words/errors.ts';
import { choose, LOCALES, type Locale } from '../words/index.ts';
import { Factors } from './settings/factors.tsx';
import { Passkeys } from './settings/passkeys.tsx';
import { Section, SectionForm } from './settings/section.tsx';
import { SessionList } from './settings/session-list.tsx';

/** Name of the tenant that is always there. */
const KEPT = 'default';

/** What a person sets for itself, and the tenant's name for those who may. */
export function SettingsPage() {
  const { t } = useLingui();
  const may = useMay();
  const { user, tenants } = useMe();
  const queryClient = useQueryClient();
  const tenant = tenants.find(({ id }) => id === chosenTenant());
  const refresh = () => queryClient.invalidateQueries({ queryKey: ['me'] });

  return (
    <Page title={<Trans>Settings</Trans>} note={user?.email}>
      <div className="mt-2 flex flex-col gap-6">
        <Section title={<Trans>Profile</Trans>} note={<Trans>Others in your tenants see your name.</Trans>}>
          <SectionForm
            key={user?.version}
            action={<Trans>Save</Trans>}
            done={t`Saved`}
            run={(form) => changeMe({ name: typed(form, 'name') }).then(refresh)}
          >
            <TextField
              label={<Trans>Name</Trans>}
              name="name"
              autoComplete="name"
              maxLength={100}
              defaultValue={user?.name}
              required
            />
          </SectionForm>
        </Section>
        <Section title={<Trans>Appearance</Trans>} note={<Trans>The language is also that of mails to you.</Trans>}>
          <Appearance />
        </Section>
        <Section title={<Trans>Password</Trans>} note={<Trans>Another password ends all other sessions.</Trans>}>
          <PasswordForm />
        </Section>
        <Section
          title={<Trans>Second factor</Trans>}
          note={<Trans>Asked for beside the password. A change ends all other sessions.</Trans>}
        >
          <Factors />
        </Section>
        <Section
          title={<Trans>Passkeys</Trans>}
          note={<Trans>Sign in without a password, or are the second factor beside it.</Trans>}
        >
          <Passkeys />
        </Section>
        <Section title={<Trans>Sessions</Trans>} note={<Trans>Where you are signed in.</Trans>}>
          <SessionList />
        </Section>
        {tenant !== undefined && tenant.name !== KEPT && may('tenants.update') && (
          <Section title={<Trans>Tenant</Trans>} note={<Trans>All its members see its name.</Trans>}>
            <SectionForm
              key={tenant.name}
              action={<Trans>Rename</Trans>}
              done={t`Saved`}
              run={(form) => renameTenant(tenant.id, typed(form, 'tenant')).then(refresh)}
            >
              <TextField
                label={<Trans>Name of the tenant</Trans>}
                name="tenant"
                autoComplete="off"
                maxLength={100}
                defaultValue={tenant.name}
                required
              />
            </SectionForm>
          </Section>
        )}
      </div>
    </Page>
  );
}

function Appearance() {
  const { t, i18n } = useLingui();
  const theme = useTheme();
  async function speak(locale: Locale) {
    await choose(locale);
    await keepLocale(locale).catch((error: unknown) => toast(sentence(i18n, error), 'bad'));
  }
  return (
    <div className="flex max-w-96 flex-col gap-3">
      <SelectField
        label={<Trans>Language</Trans>}
        value={i18n.locale}
        onChange={(event) => void speak(event.target.value as Locale)}
      >
        {Object.entries(LOCALES).map(([locale, name]) => (
          <option key={locale} value={locale} lang={locale}>
            {name}
          </option>
        ))}
      </SelectField>
      <SelectField
        label={<Trans>Theme</Trans>}
        value={theme}
        onChange={(event) => setTheme(event.target.value as Theme)}
      >
        <option value="system">{t`As the system`}</option>
        <option value="light">{t`Light`}</option>
        <option value="dark">{t`Dark`}</option>
      </SelectField>
    </div>
  );
}

function PasswordForm() {
  const { t } = useLingui();
  const queryClient = useQueryClient();
  const { user } = useMe();
  const { data: own } = useQuery(factors);
  const hasFactor = own !== undefined && (own.totp !== null || own.passkeys > 0);

  async function run(form: FormData) {
    await changePassword({
      current_password: String(form.get('current_password')),
      password: String(form.get('password')),
    });
    await queryClient.invalidateQueries({ queryKey: ['sessions'] });
  }

  return (
    <SectionForm action={<Trans>Change the password</Trans>} done={t`The password is changed`} run={run}>
      <input type="email" name="email" autoComplete="username" value={user?.email ?? ''} readOnly hidden />
      <PasswordField label={<Trans>Present password</Trans>} name="current_password" required />
      <NewPasswordField label={<Trans>New password</Trans>} fewest={hasFactor ? BESIDE_FACTOR_CHARS : ALONE_CHARS} />
    </SectionForm>
  );
}
