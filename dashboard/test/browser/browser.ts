/** What the scenarios share: a browser, a page that is listened to, axe and screenshots. */
import { existsSync, mkdirSync } from 'node:fs';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium, type Browser, type BrowserContext, type Page, type Request } from 'playwright-core';

export type Theme = 'light' | 'dark';
export type Locale = 'en' | 'es';

const PLACES = ['/usr/bin/chromium', '/usr/bin/google-chrome'];
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
export const WIDE = { width: 1440, height: 900 };
export const NARROW = { width: 360, height: 740 };

/** Reads what the test that starts this hands over. */
export function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: \`cargo nextest run browser\` starts this`);
  return value;
}

export async function launch(): Promise<Browser> {
  const executablePath = PLACES.find((path) => existsSync(path));
  if (executablePath === undefined) throw new Error('there is no Chromium: `make deps` installs it');
  // Root has no sandbox to work in, and a container's /dev/shm is small.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

export interface Listened {
  context: BrowserContext;
  page: Page;
  /** Errors of scripts and of the console, and what the Content-Security-Policy blocked. */
  complaints: string[];
}

/** Questions of each page to the API that have no answer yet, but for the stream of events. */
const asked = new WeakMap<Page, Set<Request>>();

function follow(page: Page) {
  const missing = new Set<Request>();
  asked.set(page, missing);
  page.on('request', (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith('/api/') && pathname !== '/api/v1/events') missing.add(request);
  });
  page.on('requestfinished', (request) => missing.delete(request));
  page.on('requestfailed', (request) => missing.delete(request));
}

/** Opens a page and listens to it. Answers in `expected` may be refusals: browsers write those to the console. */
export async function open(browser: Browser, expected: number[] = []): Promise<Listened> {
  const context = await browser.newContext({ baseURL: setting('KEYWAY_URL'), viewport: WIDE, locale: 'en-US' });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  follow(page);
  const complaints: string[] = [];
  await page.exposeFunction('complain', (text: string) => complaints.push(text));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      const { effectiveDirective, blockedURI, sourceFile, sample } = event;
      const complain = (globalThis as unknown as { complain: (text: string) => void }).complain;
      complain(`policy: ${effectiveDirective} ${blockedURI} ${sourceFile} ${sample}`);
    });
  });
  page.on('pageerror', (error) => complaints.push(`script: ${error.message}`));
  page.on('console', (message) => {
    const isExpected = expected.some((status) => message.text().includes(`status of ${status}`));
    if (message.type() === 'error' && !isExpected) complaints.push(`console: ${message.text()}`);
  });
  return { context, page, complaints };
}

export const OWNER = { name: 'Ana', email: 'ana@example.org', password: 'a walk along the quiet canal' };

/** Makes the first owner by the setup token, and signs in. */
export async function own({ page }: Listened) {
  const answer = await page.request.post('/api/v1/setup', { data: { token: setting('KEYWAY_SETUP_TOKEN'), ...OWNER } });
  if (!answer.ok()) throw new Error(await answer.text());
}

/** Calls the management API as whoever has signed in, to make what a page shows. */
export async function call<T>({ page }: Listened, method: string, path: string, body?: unknown): Promise<T> {
  const headers = { origin: setting('KEYWAY_URL') };
  const answer = await page.request.fetch(`/api/v1${path}`, { method, headers, ...(body ? { data: body } : {}) });
  if (!answer.ok()) throw new Error(`${method} ${path}: ${await answer.text()}`);
  return (answer.status() === 204 ? undefined : await answer.json()) as T;
}

/** Fails with everything that a page complained of. */
export function quiet({ complaints }: Listened) {
  if (complaints.length > 0) throw new Error(`the page complains:\n${complaints.join('\n')}`);
}

/** Shows the page in a theme and a language, as a person with that choice sees it. */
export async function show(page: Page, theme: Theme, locale: Locale) {
  await page.evaluate(
    ([chosenTheme, chosenLocale]) => {
      localStorage.setItem('theme', chosenTheme!);
      localStorage.setItem('locale', chosenLocale!);
    },
    [theme, locale],
  );
  await page.reload();
  await page.locator('h1').first().waitFor();
  await settled(page);
}

/** Waits until everything that the page has asked for is there; its stream of events never ends. */
async function settled(page: Page) {
  await page.locator('main [role=status][aria-label]').first().waitFor({ state: 'hidden' });
  const deadlineMs = Date.now() + 20_000;
  for (;;) {
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    const missing = asked.get(page) ?? new Set();
    if (missing.size === 0) return;
    if (Date.now() > deadlineMs) throw new Error(`no answer to ${[...missing].map((one) => one.url()).join(', ')}`);
  }
}

/** Fails with what axe finds in the page as it is. */
export async function accessible(page: Page, what: string) {
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  if (violations.length === 0) return;
  const found = violations.flatMap(({ id, help, nodes }) =>
    nodes.map((node) => `${id}: ${help}\n    ${node.html.slice(0, 300)}\n    ${node.failureSummary ?? ''}`),
  );
  throw new Error(`axe, ${what}:\n  ${found.join('\n  ')}`);
}

/** Leaves a screenshot, wide or narrow, and fails if the page is wider than the screen. */
export async function picture(page: Page, name: string) {
  const folder = setting('SCREENS');
  mkdirSync(folder, { recursive: true });
  const extent = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  if (extent[0]! > extent[1]!) throw new Error(`${name}: ${extent[0]} pixels of content on ${extent[1]}`);
  await page.screenshot({ path: `${folder}/${name}.png` });
}

/** Looks at a page in both themes and languages, wide and narrow: axe each time, and a screenshot. */
export async function everyWay(page: Page, name: string) {
  for (const theme of ['light', 'dark'] as const) {
    for (const locale of ['en', 'es'] as const) {
      await page.setViewportSize(WIDE);
      await show(page, theme, locale);
      await accessible(page, `${name} ${theme} ${locale}`);
      await picture(page, `${name}-${theme}-${locale}`);
      await page.setViewportSize(NARROW);
      await accessible(page, `${name} ${theme} ${locale} narrow`);
      await picture(page, `${name}-${theme}-${locale}-narrow`);
    }
  }
  await page.setViewportSize(WIDE);
  await show(page, 'light', 'en');
}

/** Runs a scenario in a browser of its own, and ends the process as it ended. */
export async function scenario(run: (browser: Browser) => Promise<void>) {
  const browser = await launch();
  try {
    await run(browser);
  } finally {
    await browser.close();
  }
}
