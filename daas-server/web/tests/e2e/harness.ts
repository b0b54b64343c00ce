/** A browser, a mock server and a page for each test. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { chromium, type Browser, type BrowserContextOptions, type Locator, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { Mock } from '../../mock/server.mjs';
import { seed } from '../../mock/seed.mjs';
import { startMock } from '../../mock/server.mjs';
import { ARGUMENTS, EXECUTABLE } from './chromium.mjs';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const PATIENCE_MS = 15_000;

let browser: Browser;
/** What is to be closed, and what must be true, after each test. */
let endings: (() => Promise<void>)[] = [];

beforeAll(async () => {
  if (!existsSync(`${DIST}/index.html`)) throw new Error('build the page first: npm run build');
  browser = await chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS });
});

afterAll(() => browser?.close());

afterEach(async () => {
  const all = endings;
  endings = [];
  for (const end of all) await end();
});

/** For tests that need more than a page. */
export function theBrowser(): Browser {
  return browser;
}

export interface Visit {
  readonly mock: Mock;
  readonly page: Page;
  /** The element with this test id. */
  at(testId: string): Locator;
  /** What must be empty at the end: violations of the policy, and errors that nobody caught. */
  readonly wrong: string[];
}

interface Wishes {
  readonly context?: BrowserContextOptions;
  readonly mock?: Parameters<typeof startMock>[0];
  readonly permissions?: string[];
}

/** Opens the page. Afterwards there must have been no violation of the policy and no error. */
export async function visit({ context: options = {}, mock: mockOptions = {}, permissions }: Wishes = {}): Promise<Visit> {
  const mock = await startMock({ dist: DIST, stepMs: 60, ...mockOptions });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  if (permissions) await context.grantPermissions(permissions, { origin: mock.url });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const wrong: string[] = [];
  page.on('pageerror', (error) => wrong.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) wrong.push(message.text());
  });
  await page.exposeFunction('violated', (what: string) => wrong.push(`policy: ${what}`));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      (window as unknown as { violated(what: string): void }).violated(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  endings.push(async () => {
    await context.close();
    await mock.close();
    expect(wrong).toEqual([]);
    expect(mock.lastDesktop?.protocolError ?? null).toBeNull();
  });
  await page.goto(mock.url);
  return { mock, page, wrong, at: (testId) => page.getByTestId(testId) };
}

export async function logIn({ at }: Visit, name = 'demo', password = 'demo'): Promise<void> {
  await at('login-name').fill(name);
  await at('login-password').fill(password);
  await at('login-submit').click();
}

/** Logs in as an administrator and opens a part of the administration. */
export async function administer(part: string): Promise<Visit> {
  const on = await visit();
  seed(on.mock);
  await logIn(on, 'admin', 'administrator');
  await on.at('nav-admin').click();
  await on.at(`admin-${part}`).click();
  return on;
}

export async function phase({ page }: Visit, wanted: string): Promise<void> {
  await page.locator(`[data-testid=reconnect-state][data-phase=${wanted}]`).waitFor();
}

/** Logs in, launches the first application and waits for its picture. */
export async function connect(on: Visit, slug = 'debian'): Promise<void> {
  await logIn(on);
  await on.at(`launch-${slug}`).click();
  await phase(on, 'connected');
}

export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`waited in vain: ${what}`);
}

/** The test id of what has the focus. */
export function focused({ page }: Visit): Promise<string | null | undefined> {
  return page.evaluate(() => document.activeElement?.getAttribute('data-testid'));
}

/** By the keyboard alone. */
export async function tabTo(on: Visit, testId: string): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    if ((await focused(on)) === testId) return;
    await on.page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not lead to ${testId}`);
}

/** What the page sent to the desktop with this opcode. */
export function sent({ mock }: Visit, opcode: string): string[][] {
  return (mock.lastDesktop?.received ?? []).filter(([first]) => first === opcode).map(([, ...rest]) => rest);
}

/** No sideways scroll, on the whole page or in any part of it that is not meant to. */
export async function fitsSideways({ page }: Visit): Promise<void> {
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  // Not that of the window: on a phone it grows with what does not fit.
  expect(width).toBeLessThanOrEqual(page.viewportSize()?.width ?? 0);
}

/** What can be found by a program of what keeps people out. */
export async function accessible({ page }: Visit): Promise<void> {
  await page.evaluate(axe.source);
  const violations = await page.evaluate(async () => {
    const { axe: here } = window as unknown as { axe: typeof axe };
    const found = await here.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] });
    return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary ?? ''}`));
  });
  expect(violations).toEqual([]);
}
