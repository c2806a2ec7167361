/** From the setup token to a connected integration, and out again. */
import { accessible, everyWay, open, picture, quiet, scenario, setting } from './browser.ts';

const PERSON = { name: 'Ana', email: 'ana@example.org', password: 'a walk along the quiet canal' };

await scenario(async (browser) => {
  // 401: nobody has signed in yet, a wrong password, and a session that was ended on purpose.
  const listened = await open(browser, [401]);
  const { page } = listened;

  await page.goto('/');
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await everyWay(page, 'sign-in');
  await page.getByRole('link', { name: 'Set Keyway up' }).click();
  await page.getByRole('heading', { name: 'Set Keyway up' }).waitFor();
  await everyWay(page, 'set-up');
  await page.getByLabel('Setup token').fill(setting('KEYWAY_SETUP_TOKEN'));
  await page.getByLabel('Name').fill(PERSON.name);
  await page.getByLabel('Email').fill(PERSON.email);
  await page.getByLabel('Password', { exact: true }).fill(PERSON.password);
  await page.getByRole('button', { name: 'Create the first owner' }).click();

  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await page.getByText('Nothing now.').waitFor();
  await page.getByRole('link', { name: 'Integrations', exact: true }).click();
  await page.getByText('No provider key yet').waitFor();
  await everyWay(page, 'integrations-empty');
  await add('production', 'sk-sim-good-browser-4f2a', 'Connected', true);
  await add('left', 'sk-sim-revoked-browser-77c1', 'Error', false);
  await everyWay(page, 'integrations');
  await page.getByRole('link', { name: 'Overview' }).click();
  await page.getByText('1 key does not work').waitFor();
  await everyWay(page, 'overview');
  await page.getByRole('link', { name: 'Look at them' }).click();
  await page.waitForURL('**/integrations?status=error');
  await page.getByRole('button', { name: 'All', exact: false }).first().click();
  await page.getByText('production').waitFor();

  await filters();
  await disablesAndEnables();
  await goesOnAfterTheSession();
  await deletes();
  await signsOut();
  quiet(listened);

  async function add(name: string, key: string, status: string, isPictured: boolean) {
    await page.getByRole('button', { name: 'New integration' }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill(name);
    const field = dialog.getByLabel('Key', { exact: true });
    await field.fill('sk-ant-api03-of-another');
    await dialog.getByText('This looks like a key of Anthropic').waitFor();
    await field.fill('');
    // Pasted with what a terminal puts around it.
    await field.evaluate((input, text) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text', `  ${text}\n`);
      input.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    }, key);
    if ((await field.inputValue()) !== key) throw new Error(`pasted: ${await field.inputValue()}`);
    await dialog.getByText('More settings').click();
    await dialog.getByLabel('Base URL').fill(setting('SIMULATOR_URL'));
    if (isPictured) {
      await accessible(page, 'add dialog');
      await picture(page, 'integrations-add');
    }
    await dialog.getByRole('button', { name: 'Save and verify' }).click();
    await dialog.getByText(status, { exact: true }).waitFor();
    await accessible(page, 'verification');
    await picture(page, `integrations-verified-${name}`);
    await dialog.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('row').filter({ hasText: name }).getByText(status, { exact: true }).waitFor();
  }

  async function filters() {
    await page.getByRole('button', { name: 'Connected' }).click();
    await page.getByText('left').waitFor({ state: 'hidden' });
    if (!page.url().endsWith('?status=connected')) throw new Error(page.url());
    await page.getByRole('searchbox').fill('prod');
    await page.waitForURL('**/integrations?status=connected&search=prod');
    await page.reload();
    await page.getByText('production').waitFor();
    await page.goBack();
    await page.goBack();
    await page.getByText('left').waitFor();
  }

  async function act(name: string, action: string) {
    await page.getByRole('button', { name: `Actions of ${name}` }).click();
    await page.getByRole('menuitem', { name: action, exact: true }).click();
  }

  async function disablesAndEnables() {
    const row = page.getByRole('row').filter({ hasText: 'production' });
    await act('production', 'Disable');
    await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
    await row.getByText('Disabled').waitFor();
    await act('production', 'Enable');
    await row.getByText('Connected').waitFor();
    await act('production', 'Test connection');
    await page.getByText('production is being verified').first().waitFor();
    await row.getByText('Connected').waitFor();
  }

  /** The session ends while a form is open: the form keeps what was typed, and goes on. */
  async function goesOnAfterTheSession() {
    await act('production', 'Replace the key');
    const dialog = page.getByRole('dialog', { name: 'Replace the key of production' });
    await dialog.getByLabel('Key', { exact: true }).fill('sk-sim-good-browser-9d3e');
    await listened.context.clearCookies();
    await dialog.getByRole('button', { name: 'Save and verify' }).click();
    const proof = page.getByRole('dialog', { name: 'Your session has ended' });
    await proof.getByLabel('Password', { exact: true }).fill('not the password at all');
    await proof.getByRole('button', { name: 'Sign in' }).click();
    await proof.getByText('The address, the password, the code or the passkey is wrong.').waitFor();
    await accessible(page, 'session over');
    await picture(page, 'session-over');
    await proof.getByLabel('Password', { exact: true }).fill(PERSON.password);
    // After a wrong attempt the next one has to wait a second.
    for (;;) {
      await proof.getByRole('button', { name: 'Sign in' }).click();
      const delayed = proof.getByText('There were wrong attempts.');
      const signedIn = dialog.getByRole('button', { name: 'Done' });
      await delayed.or(signedIn).first().waitFor();
      if (await signedIn.isVisible()) break;
      await page.waitForTimeout(300);
    }
    await dialog.getByText('Key accepted').waitFor();
    await dialog.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('row').filter({ hasText: 'production' }).getByText('sk-...9d3e').last().waitFor();
  }

  async function deletes() {
    await act('left', 'Delete');
    const dialog = page.getByRole('dialog');
    const button = dialog.getByRole('button', { name: 'Delete' });
    if (await button.isEnabled()) throw new Error('a deletion has to be confirmed by the name');
    await dialog.getByLabel('Type left to confirm').fill('left');
    await accessible(page, 'delete');
    await picture(page, 'integrations-delete');
    await button.click();
    await page.getByRole('row').filter({ hasText: 'left' }).waitFor({ state: 'hidden' });
    // An open dialog keeps the keyboard to itself.
    await dialog.waitFor({ state: 'hidden' });
  }

  async function signsOut() {
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Account' }).click();
    await picture(page, 'user-menu');
    await page.getByRole('menuitemradio', { name: 'Español' }).click();
    await page.getByRole('heading', { name: 'Integraciones' }).waitFor();
    await page.getByRole('button', { name: 'Nueva Integración' }).waitFor();
    await page.getByRole('button', { name: 'Cuenta' }).click();
    await page.getByRole('menuitem', { name: 'Cerrar sesión' }).click();
    await page.getByRole('heading', { name: 'Iniciar sesión' }).waitFor();
    await page.goto('/integrations');
    await page.getByRole('heading', { name: 'Iniciar sesión' }).waitFor();
  }
});
