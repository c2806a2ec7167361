/** What a person sets for itself: name, language, theme, password, sessions. */
import { everyWay, open, own, OWNER, quiet, scenario } from './browser.ts';

const NEXT = 'seven kites above the old harbour';

await scenario(async (browser) => {
  // 401: a wrong present password; 429: the attempt after it waits.
  const listened = await open(browser, [401, 429]);
  const { page } = listened;
  await own(listened);
  const other = await browser.newPage();
  await page.goto('/settings');
  const signedIn = await other.request.post(new URL('/api/v1/sessions', page.url()).href, {
    data: { email: OWNER.email, password: OWNER.password },
  });
  if (!signedIn.ok()) throw new Error(await signedIn.text());
  await page.reload();
  await page.getByRole('button', { name: 'End all others' }).waitFor();
  await everyWay(page, 'settings');

  await page.getByLabel('Name', { exact: true }).fill('Ana María');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('button', { name: 'Account' }).getByText('Ana María').waitFor();

  // The tenant `default` keeps its name.
  if ((await page.getByLabel('Name of the tenant').count()) > 0) throw new Error('it can be renamed');

  await page.getByLabel('Present password', { exact: true }).fill('not the password at all');
  await page.getByLabel('New password', { exact: true }).fill(NEXT);
  await page.getByRole('button', { name: 'Change the password' }).click();
  await page.getByRole('alert').waitFor();
  for (;;) {
    await page.getByLabel('Present password', { exact: true }).fill(OWNER.password);
    await page.getByRole('button', { name: 'Change the password' }).click();
    const changed = page.getByText('The password is changed');
    await changed.or(page.getByText('There were wrong attempts.')).first().waitFor();
    if (await changed.isVisible()) break;
    await page.waitForTimeout(300);
  }
  // The other session has ended with it, and what was typed is gone.
  await page.getByRole('button', { name: 'End all others' }).waitFor({ state: 'hidden' });
  if ((await page.getByLabel('New password', { exact: true }).inputValue()) !== '') throw new Error('it is kept');
  const ended = await other.request.get(new URL('/api/v1/me', page.url()).href);
  if (ended.status() !== 401) throw new Error(`the other session: ${ended.status()}`);

  await page.getByLabel('Language').selectOption('Español');
  await page.getByRole('heading', { name: 'Ajustes' }).waitFor();
  await page.getByLabel('Tema').selectOption('Oscuro');
  await page.locator('html[data-theme=dark]').waitFor();
  quiet(listened);
});
