/** Calls through the proxy, and what the pages that watch them say: playground, requests, usage, jobs, audit. */
import { everyWay, open, quiet, scenario, setting } from './browser.ts';

const PERSON = { name: 'Ana', email: 'ana@example.org', password: 'a walk along the quiet canal' };

/** Calls the management API as the operator does. */
async function operator(path: string, body?: unknown): Promise<Record<string, unknown>> {
  const answer = await fetch(`${setting('KEYWAY_URL')}/api/v1${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${setting('KEYWAY_ADMIN_KEY')}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Record<string, unknown>;
}

await scenario(async (browser) => {
  // 401: nobody has signed in yet. 404: the log has a call some seconds after it has ended.
  const listened = await open(browser, [401, 404]);
  const { page } = listened;
  const [project] = (await operator('/projects'))['items'] as { id: string }[];
  const { integration } = (await operator('/integrations', {
    provider: 'openai',
    name: 'production',
    credentials: 'sk-sim-good-watch-4f2a',
    config: { base_url: setting('SIMULATOR_URL') },
  })) as { integration: { id: string } };
  const { key } = (await operator('/virtual-keys', { project_id: project?.id, name: 'app' })) as { key: string };

  await page.goto('/setup');
  await page.getByLabel('Setup token').fill(setting('KEYWAY_SETUP_TOKEN'));
  await page.getByLabel('Name').fill(PERSON.name);
  await page.getByLabel('Email').fill(PERSON.email);
  await page.getByLabel('Password', { exact: true }).fill(PERSON.password);
  await page.getByRole('button', { name: 'Create the first owner' }).click();
  await page.getByRole('link', { name: 'Integrations' }).click();
  await page.getByRole('row').filter({ hasText: 'production' }).getByText('Connected').waitFor();

  await plays();
  await findsTheCall();
  await sums();
  await opensTheIntegration();
  await watchesJobs();
  await audits();
  quiet(listened);

  async function plays() {
    await page.getByRole('link', { name: 'Playground' }).click();
    await page.getByLabel('Virtual key').fill(key);
    await page.getByLabel('Model').fill('gpt-4o');
    await page.getByLabel('Prompt').fill('two words');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('This is a simulated answer to 2 words.').waitFor();
    await page.getByRole('link', { name: 'Open it in the log' }).waitFor();
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href]));
    if (kept.includes(key)) throw new Error('the page keeps the virtual key');
    await page.getByRole('link', { name: 'Open it in the log' }).click();
    await page.getByRole('heading', { name: 'gpt-4o' }).waitFor();
    await page.getByText('would be asked first').waitFor();
    if ((await page.locator('pre').innerText()).includes(key)) throw new Error('the command holds the virtual key');
    await everyWay(page, 'request');
    await page.getByRole('link', { name: 'Playground' }).click();
    if ((await page.getByLabel('Virtual key').inputValue()) !== '') throw new Error('the key is still there');
    await everyWay(page, 'playground');
  }

  async function findsTheCall() {
    await page.getByRole('link', { name: 'Requests', exact: true }).click();
    const row = page.getByRole('row').filter({ hasText: 'gpt-4o' });
    await row.waitFor();
    const id = await row.getAttribute('data-id');
    await row.hover();
    await page.getByText('Paused while you are on a row').waitFor();
    await page.mouse.move(0, 0);
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByLabel('Outcome').selectOption('refused');
    await page.getByText('Nothing fits this filter').waitFor();
    if (!page.url().endsWith('?outcome=refused')) throw new Error(page.url());
    // By its id, also where the filter leaves it out.
    await page.getByRole('searchbox').fill(` ${id} `);
    await page.getByRole('searchbox').press('Enter');
    await page.waitForURL(`**/requests/${id}`);
    await page.goBack();
    await page.getByText('Nothing fits this filter').waitFor();
    await page.getByRole('button', { name: 'Show all' }).first().click();
    await row.waitFor();
    await everyWay(page, 'requests');
  }

  async function sums() {
    await page.getByRole('link', { name: 'Usage' }).click();
    await page.getByRole('row').filter({ hasText: 'gpt-4o' }).waitFor();
    await page.getByRole('img', { name: /The highest day was/ }).waitFor();
    await page.getByLabel('Group by').selectOption('virtual_key');
    await page.waitForURL('**/usage?group=virtual_key');
    await page.getByRole('region', { name: 'Usage by group' }).getByRole('row').filter({ hasText: 'app' }).waitFor();
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'CSV' }).click();
    if (!/^usage-.*\.csv$/.test((await saved).suggestedFilename())) throw new Error('the file has another name');
    await page.getByRole('button', { name: 'Fetch now' }).click();
    await page.getByText('Usage is fetched').waitFor();
    await everyWay(page, 'usage');
  }

  async function opensTheIntegration() {
    await page.getByRole('link', { name: 'Integrations' }).click();
    await page.getByRole('link', { name: 'production' }).click();
    await page.waitForURL(`**/integrations/${integration.id}`);
    await page.getByRole('list', { name: 'Verdicts' }).getByText('Key accepted').waitFor();
    await page.getByText('would be asked first').waitFor();
    await page.getByRole('button', { name: 'integration.created' }).waitFor();
    await everyWay(page, 'integration');
  }

  async function watchesJobs() {
    await page.getByRole('link', { name: 'Jobs' }).click();
    await page.getByRole('link', { name: 'Fetch usage of all keys' }).first().waitFor();
    await everyWay(page, 'jobs');
    await page.getByRole('button', { name: 'Succeeded' }).click();
    await page.getByRole('button', { name: 'Retry all…' }).click();
    await page.getByRole('dialog').getByText('Nothing fits the filter').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('link', { name: 'Fetch usage of all keys' }).first().click();
    await page.getByRole('heading', { name: 'Children' }).waitFor();
    await everyWay(page, 'job');
  }

  async function audits() {
    await page.getByRole('link', { name: 'Audit' }).click();
    await page.getByRole('button', { name: 'integration.status_changed' }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('verifying').waitFor();
    await dialog.getByText('connected').waitFor();
    await page.keyboard.press('Escape');
    await page.getByLabel('Actor').selectOption('system');
    await page.getByText('integration.created').waitFor({ state: 'hidden' });
    await everyWay(page, 'audit');
  }
});
