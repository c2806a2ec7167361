/** Passkeys with Chromium's virtual authenticator: added by each algorithm, used alone, beside a password and as a proof. */
import type { CDPSession, Page } from 'playwright-core';
import { everyWay, open, own, OWNER, quiet, scenario } from './browser.ts';

/** Numbers of the algorithms, as authenticators write them: ES256, EdDSA, RS256. */
const ALGORITHMS = [-7, -8, -257];

async function authenticator(page: Page): Promise<[CDPSession, string]> {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable', { enableUI: false });
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return [session, authenticatorId];
}

/** Adds a passkey in the settings by one of the algorithms, of which the server offers all. */
async function add(page: Page, name: string, algorithm: number) {
  await page.route('**/api/v1/me/passkeys/begin', async (route) => {
    const answer = await route.fetch();
    const body = (await answer.json()) as {
      public_key: { pubKeyCredParams: { alg: number }[]; excludeCredentials: [] };
    };
    const offered = body.public_key.pubKeyCredParams.map(({ alg }) => alg);
    if (!ALGORITHMS.every((alg) => offered.includes(alg))) throw new Error(`it offers ${offered.join(', ')}`);
    body.public_key.pubKeyCredParams = body.public_key.pubKeyCredParams.filter(({ alg }) => alg === algorithm);
    await route.fulfill({ response: answer, json: body });
  });
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByLabel('Name of the passkey').fill(name);
  await page.getByRole('button', { name: 'Go on' }).click();
}

async function signOut(page: Page) {
  await page.getByRole('button', { name: 'Account' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Use a passkey' }).waitFor();
}

await scenario(async (browser) => {
  // 401: the session that was signed out of asks who it is; a copy that never counted. 403: a proof is wanted.
  const listened = await open(browser, [401, 403, 429]);
  const { page } = listened;
  await own(listened);
  const [session, authenticatorId] = await authenticator(page);
  await page.goto('/settings');
  for (const [at, algorithm] of ALGORITHMS.entries()) {
    // One passkey of a person is on a device: the next one is on another device.
    if (at > 0) await session.send('WebAuthn.clearCredentials', { authenticatorId });
    await add(page, `device ${at}`, algorithm);
    if (at === 0) await page.getByRole('button', { name: 'I have kept them' }).click();
    await page.getByText(`device ${at}`).waitFor();
    await page.unroute('**/api/v1/me/passkeys/begin');
    await signOut(page);
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await page.getByRole('button', { name: 'Account' }).waitFor();
    await page.goto('/settings');
  }
  await everyWay(page, 'settings-passkeys');

  // This device has one already.
  await add(page, 'twice', -257);
  await page.getByText('This device has a passkey of yours already.').waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.unroute('**/api/v1/me/passkeys/begin');

  // Beside the password.
  await signOut(page);
  await page.getByLabel('Email').fill(OWNER.email);
  await page.getByLabel('Password', { exact: true }).fill(OWNER.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByLabel('Code').waitFor();
  await page.getByRole('button', { name: 'Use a passkey' }).click();
  await page.getByRole('button', { name: 'Account' }).waitFor();

  // A copy of the passkey that never counted signs nobody in.
  await signOut(page);
  const { credentials } = await session.send('WebAuthn.getCredentials', { authenticatorId });
  const credential = credentials[0]!;
  const { signCount, credentialId } = credential;
  if (credential.rpId !== 'localhost' || !credential.isResidentCredential || signCount < 2) {
    throw new Error(JSON.stringify(credential));
  }
  await session.send('WebAuthn.removeCredential', { authenticatorId, credentialId });
  await session.send('WebAuthn.addCredential', { authenticatorId, credential: { ...credential, signCount: 0 } });
  await page.getByRole('button', { name: 'Use a passkey' }).click();
  await page.getByText('The address, the password, the code or the passkey is wrong.').waitFor();
  await session.send('WebAuthn.removeCredential', { authenticatorId, credentialId });
  await session.send('WebAuthn.addCredential', {
    authenticatorId,
    credential: { ...credential, signCount: signCount + 10 },
  });
  for (;;) {
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    const entered = page.getByRole('button', { name: 'Account' });
    await entered.or(page.getByText('There were wrong attempts.')).first().waitFor();
    if (await entered.isVisible()) break;
    await page.waitForTimeout(300);
  }

  await page.goto('/settings');
  const first = page.getByRole('listitem').filter({ hasText: 'device 0' });
  await first.getByRole('button', { name: 'Rename' }).click();
  await page.getByLabel('Name of the passkey').fill('phone');
  await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
  await page.getByText('phone', { exact: true }).waitFor();
  const phone = page.getByRole('listitem').filter({ hasText: 'phone' });
  await phone.getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await phone.waitFor({ state: 'hidden' });
  quiet(listened);
});
