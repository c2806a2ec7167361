/** Virtual keys: created and copied once, connected, limited, disabled, revoked. */
import { accessible, call, everyWay, open, own, picture, quiet, scenario, setting } from './browser.ts';

await scenario(async (browser) => {
  const listened = await open(browser);
  const { page } = listened;
  await own(listened);
  await page.goto('/virtual-keys');
  await page.getByText('No virtual key yet').waitFor();
  await picture(page, 'virtual-keys-empty');

  const key = await creates();
  await connects();
  await call(listened, 'POST', '/virtual-keys', { name: 'nightly-report', expires_at: '2027-06-01T00:00:00Z' });
  await everyWay(page, 'virtual-keys');
  await changes();
  await disables();
  await searches();
  await revokes();
  quiet(listened);

  async function creates(): Promise<string> {
    await page.getByRole('button', { name: 'New virtual key' }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('website');
    await dialog.getByLabel('Requests per minute').fill('600');
    await dialog.getByLabel('US dollars per day').fill('5,50');
    await accessible(page, 'new virtual key');
    await picture(page, 'virtual-keys-new');
    await dialog.getByRole('button', { name: 'Create' }).click();
    const shown = dialog.getByLabel('Virtual key', { exact: true });
    const text = (await shown.textContent()) ?? '';
    if (!/^kw_live_\w+/.test(text)) throw new Error(`no key: ${text}`);
    await dialog.getByRole('button', { name: 'Copy' }).first().click();
    await dialog.getByRole('button', { name: 'Copied' }).waitFor();
    await accessible(page, 'key shown once');
    await picture(page, 'virtual-keys-once');
    await dialog.getByRole('button', { name: 'Connect' }).click();
    const snippet = (await dialog.getByRole('region', { name: 'Snippet for curl' }).textContent()) ?? '';
    if (!snippet.includes(`${setting('KEYWAY_URL')}/v1/`) || !snippet.includes(text)) throw new Error(snippet);
    await dialog.getByRole('button', { name: 'Done' }).click();
    await page.getByText('$5.50 a day · 600 requests/min').waitFor();
    if ((await page.content()).includes(text)) throw new Error('the key is in the page after its dialog has closed');
    return text;
  }

  async function connects() {
    await page.getByRole('button', { name: 'Connect' }).click();
    const dialog = page.getByRole('dialog', { name: 'Connect an application' });
    for (const client of ['Anthropic (Python)', 'Codex', 'Open WebUI']) {
      await dialog.getByLabel('Client').selectOption(client);
      await dialog.getByRole('region', { name: `Snippet for ${client}` }).waitFor();
    }
    await accessible(page, 'connect');
    await picture(page, 'virtual-keys-connect');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
  }

  async function act(name: string, action: string) {
    await page.getByRole('button', { name: `Actions of ${name}` }).click();
    await page.getByRole('menuitem', { name: action }).click();
  }

  async function changes() {
    await act('website', 'Name, expiry, limits');
    const dialog = page.getByRole('dialog');
    if ((await dialog.getByLabel('US dollars per day').inputValue()) !== '5.5')
      throw new Error('the limit is not there');
    await dialog.getByLabel('US dollars per day').fill('');
    await dialog.getByLabel('US dollars per month').fill('80');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await page.getByText('$80.00 a month · 600 requests/min').waitFor();
    await dialog.waitFor({ state: 'hidden' });
  }

  /** Status of a call with the key. */
  async function status(): Promise<number> {
    const headers = { authorization: `Bearer ${key}` };
    return (await page.request.get('/v1/models', { headers })).status();
  }

  async function disables() {
    const row = page.getByRole('row').filter({ hasText: 'website' });
    await act('website', 'Disable');
    await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
    await row.getByText('Disabled').waitFor();
    await act('website', 'Enable');
    await row.getByText('Active').waitFor();
  }

  async function searches() {
    await page.getByRole('searchbox').fill('nightly');
    await page.waitForURL('**/virtual-keys?search=nightly');
    await page.getByText('website', { exact: true }).waitFor({ state: 'hidden' });
    await page.goBack();
    await page.getByText('website', { exact: true }).waitFor();
  }

  async function revokes() {
    if ((await status()) !== 200) throw new Error(`before: ${await status()}`);
    await act('website', 'Revoke');
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Type website to confirm').fill('website');
    await dialog.getByRole('button', { name: 'Revoke' }).click();
    await dialog.getByText('Every replica refuses it.').waitFor();
    if ((await status()) !== 401) throw new Error(`after: ${await status()}`);
    await accessible(page, 'revoked');
    await picture(page, 'virtual-keys-revoked');
    await dialog.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('row').filter({ hasText: 'website' }).getByText('Revoked').waitFor();
  }
});
