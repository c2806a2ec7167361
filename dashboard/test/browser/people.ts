/** People, services and projects: an invitation taken up by somebody else, roles, tokens, limits. */
import { accessible, call, everyWay, open, own, picture, quiet, scenario, type Listened } from './browser.ts';

const BEN = { name: 'Ben', email: 'ben@example.org', password: 'three green kettles on a shelf' };

await scenario(async (browser) => {
  // 409: the last owner stays.
  const owner = await open(browser, [409]);
  const { page } = owner;
  await own(owner);
  await call(owner, 'POST', '/projects', { name: 'shop', limits: { monthly_budget_nano_usd: 80_000_000_000 } });
  await page.goto('/people');
  await page.getByText('ana@example.org').last().waitFor();

  const link = await invites();
  await everyWay(page, 'people');
  // 403: pages that are not for a developer; 401: another role ends the sessions.
  const member = await open(browser, [401, 403]);
  await joins(member, link);
  await changesRoles(member);
  await projects();
  await services();
  quiet(owner);
  quiet(member);

  async function invites(): Promise<string> {
    await page.getByRole('button', { name: 'Invite' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Email').fill(BEN.email);
    await dialog.getByLabel('Role').selectOption('Developer');
    await dialog.getByText('Virtual keys, tests of integrations').waitFor();
    await accessible(page, 'invite');
    await picture(page, 'people-invite');
    await dialog.getByRole('button', { name: 'Invite' }).click();
    const shown = await dialog.getByLabel('Link').textContent();
    await accessible(page, 'invitation');
    await picture(page, 'people-invited');
    await dialog.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('row').filter({ hasText: BEN.email }).getByText('Open').waitFor();
    return shown ?? '';
  }

  async function act(name: string, action: string) {
    await page.getByRole('button', { name: `Actions of ${name}`, exact: true }).click();
    await page.getByRole('menuitem', { name: action }).click();
  }

  async function changesRoles(ben: Listened) {
    await page.goto('/people');
    await act('Ben', 'Change the role');
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Role').selectOption('Auditor');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('row').filter({ hasText: 'Ben' }).getByText('Auditor').waitFor();
    // Another role ends the sessions.
    await ben.page.goto('/services');
    await ben.page.getByLabel('Email').fill(BEN.email);
    await ben.page.getByLabel('Password', { exact: true }).fill(BEN.password);
    await ben.page.getByRole('button', { name: 'Sign in' }).click();
    await ben.page.getByText('No service yet').waitFor();
    await act('Ana', 'Change the role');
    await dialog.getByLabel('Role').selectOption('Admin');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.getByText('The last owner stays').waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await act('Ben', 'Remove');
    await dialog.getByLabel(`Type ${BEN.email} to confirm`).fill(BEN.email);
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await page.getByRole('row').filter({ hasText: 'Ben' }).waitFor({ state: 'hidden' });
    await dialog.waitFor({ state: 'hidden' });
  }

  async function projects() {
    await page.goto('/projects');
    await page.getByRole('button', { name: 'New project' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('support');
    await dialog.getByLabel('Tokens per minute').fill('20000');
    await dialog.getByRole('checkbox').check();
    await dialog.getByLabel('US dollars per month for such calls').fill('12.5');
    await accessible(page, 'new project');
    await picture(page, 'projects-new');
    await dialog.getByRole('button', { name: 'Create' }).click();
    await page.getByText('$0.00 of $12.50 a month').waitFor();
    await everyWay(page, 'projects');
    await act('support', 'Name, limits');
    await dialog.getByRole('checkbox').uncheck();
    await dialog.getByLabel('Name').fill('help-desk');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('row').filter({ hasText: 'help-desk' }).getByText('not used').waitFor();
    await act('help-desk', 'Delete');
    await dialog.getByLabel('Type help-desk to confirm').fill('help-desk');
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('row').filter({ hasText: 'help-desk' }).waitFor({ state: 'hidden' });
    await dialog.waitFor({ state: 'hidden' });
  }

  async function services() {
    await page.goto('/services');
    await page.getByRole('button', { name: 'New service' }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('pipeline');
    await dialog.getByRole('button', { name: 'All that reads' }).click();
    await dialog.getByLabel('virtual_keys.create').check();
    await accessible(page, 'new service');
    await picture(page, 'services-new');
    await dialog.getByRole('button', { name: 'Create' }).click();
    const first = (await dialog.getByLabel('Token').textContent()) ?? '';
    await picture(page, 'services-token');
    await dialog.getByRole('button', { name: 'Done' }).click();
    await everyWay(page, 'services');
    await expectStatus(first, 200);
    await act('pipeline', 'Rotate the token');
    await dialog.getByRole('button', { name: 'Rotate' }).click();
    const second = (await dialog.getByLabel('Token').textContent()) ?? '';
    if (!second.startsWith('kw_svc_') || second === first) throw new Error('no new token');
    await dialog.getByRole('button', { name: 'Done' }).click();
    await expectStatus(first, 401);
    await act('pipeline', 'Revoke');
    await dialog.getByLabel('Type pipeline to confirm').fill('pipeline');
    await dialog.getByRole('button', { name: 'Revoke' }).click();
    await page.getByRole('row').filter({ hasText: 'pipeline' }).getByText('Revoked').waitFor();
    await expectStatus(second, 401);
  }

  /** Fails unless a service's token is answered so. */
  async function expectStatus(token: string, status: number) {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await (await browser.newContext()).request.get(new URL('/api/v1/me', page.url()).href, { headers });
    if (answer.status() !== status) throw new Error(`a service: ${answer.status()} in place of ${status}`);
  }
});

async function joins(ben: Listened, at: string) {
  await ben.page.goto(at);
  await ben.page.getByRole('heading', { name: 'You are invited' }).waitFor();
  if (ben.page.url().includes('#')) throw new Error('the token stays in the address');
  await accessible(ben.page, 'invite page');
  await picture(ben.page, 'invite');
  await ben.page.getByLabel('Name').fill(BEN.name);
  await ben.page.getByLabel('Password', { exact: true }).fill(BEN.password);
  await ben.page.getByRole('button', { name: 'Join' }).click();
  const navigation = ben.page.getByRole('navigation');
  await navigation.getByRole('link', { name: 'Virtual keys' }).waitFor();
  if ((await navigation.getByRole('link', { name: 'Services' }).count()) > 0) {
    throw new Error('a developer is offered the services');
  }
  // Not offered, and refused all the same.
  await ben.page.goto('/services');
  await ben.page.getByText('Your role does not allow this.').waitFor();
  await picture(ben.page, 'services-refused');
}
