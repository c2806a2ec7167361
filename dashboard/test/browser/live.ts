/** What others do is on the page within a second, without a reload. */
import { call, open, own, quiet, scenario, setting } from './browser.ts';

const WITHIN_MS = 1_500;

await scenario(async (browser) => {
  const listened = await open(browser);
  const { page } = listened;
  await own(listened);
  await page.goto('/integrations');
  await page.getByText('No provider key yet').waitFor();

  // A verdict, and then what came of a change.
  const config = { base_url: setting('SIMULATOR_URL') };
  const made = await call<{ integration: { id: string } }>(listened, 'POST', '/integrations', {
    provider: 'openai',
    name: 'production',
    credentials: 'sk-sim-good-live-1a2b',
    config,
  });
  const row = page.getByRole('row').filter({ hasText: 'production' });
  await row.getByText('Connected').waitFor();
  await call(listened, 'PATCH', `/integrations/${made.integration.id}`, { enabled: false });
  await row.getByText('Disabled').waitFor({ timeout: WITHIN_MS });

  // Two tabs share one connection, and both hear of it.
  const second = await listened.context.newPage();
  await second.goto('/virtual-keys');
  await second.getByText('No virtual key yet').waitFor();
  await call(listened, 'POST', '/virtual-keys', { name: 'website' });
  await second.getByRole('row').filter({ hasText: 'website' }).waitFor({ timeout: WITHIN_MS });
  await call(listened, 'PATCH', `/integrations/${made.integration.id}`, { enabled: true });
  await row.getByText('Connected').waitFor({ timeout: WITHIN_MS });
  quiet(listened);
});
