// Takes pictures of the built page with the mock behind it, into test-results/.

import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { startMock } from '../mock/server.mjs';
import { ARGUMENTS, EXECUTABLE } from '../tests/e2e/chromium.mjs';

const folder = fileURLToPath(new URL('../test-results/', import.meta.url));
mkdirSync(folder, { recursive: true });

const mock = await startMock({ dist: fileURLToPath(new URL('../dist', import.meta.url)), appCount: 10, stepMs: 700 });
const browser = await chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS });

/**
 * @param {string} prefix
 * @param {import('playwright-core').BrowserContextOptions} options
 */
async function tour(prefix, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on('console', (message) => message.type() === 'error' && console.log(prefix, message.text()));
  const shoot = (/** @type {string} */ name, fullPage = false) =>
    page.screenshot({ path: `${folder}${prefix}-${name}.png`, fullPage });
  const byId = (/** @type {string} */ id) => page.getByTestId(id);

  await page.goto(mock.url);
  await byId('login-name').fill('demo');
  await byId('login-password').fill('wrong');
  await byId('login-submit').click();
  await page.getByText('is wrong').waitFor();
  await shoot('login');
  await byId('login-password').fill('demo');
  await byId('login-submit').click();
  await byId('app-debian').waitFor();
  await shoot('catalogue', true);
  await byId('nav-instances').click();
  await byId('instances-empty').waitFor();
  await shoot('empty');
  await byId('nav-catalogue').click();
  await byId('launch-debian').click();
  await page.locator('[data-testid=step-container][data-status=active]').waitFor();
  await shoot('launching');
  await page.locator('[data-testid=reconnect-state][data-phase=connected]').waitFor();
  await page.mouse.move(300, 300);
  await page.waitForTimeout(1500);
  await shoot('viewer');
  await byId('bar-toggle').click();
  await byId('bar-clipboard').fill('Grüße 世界 👩‍👩‍👧 🚀');
  await page.waitForTimeout(900);
  await shoot('bar');
  await byId('bar-close').click();
  mock.faults.set('POST /instances/:id/tunnel', { status: 503, headers: { 'Retry-After': '20' } });
  mock.dropTunnels();
  await page.locator('[data-testid=reconnect-state][data-phase=waiting]').waitFor();
  await page.getByText('no room').waitFor();
  await shoot('reconnect');
  await byId('reconnect-now').click();
  await page.locator('[data-testid=reconnect-state][data-phase=connected]').waitFor();
  mock.desktop.end(521);
  await byId('reconnect-again').waitFor();
  await shoot('ended');
  await byId('session-back').click();
  await byId('nav-catalogue').click();
  mock.instances.failAt = 'image';
  await byId('launch-browser').click();
  await byId('session-problem').waitFor();
  await shoot('failed');
  await byId('session-back').click();
  await byId('nav-catalogue').click();
  await byId('launch-terminal').click();
  await page.locator('[data-testid=reconnect-state][data-phase=connected]').waitFor();
  await page.goto(`${mock.url}/#/instances`);
  const [terminal] = mock.instances.of('user-demo').filter((instance) => instance.app.slug === 'terminal');
  if (terminal) await byId(`suspend-${terminal.id}`).click();
  await page.locator(`[data-state=suspended]`).first().waitFor();
  await page.waitForTimeout(300);
  await shoot('instances', true);
  await page.locator('[data-testid^=delete-]').first().click();
  await byId('confirm').waitFor();
  await shoot('confirm');
  await byId('confirm-no').click();
  await byId('nav-catalogue').click();
  await byId('search').fill('desk');
  await shoot('search', true);
  for (const instance of mock.instances.of('user-demo')) mock.instances.set(instance, 'deleted');
  await context.close();
}

await tour('light', { viewport: { width: 1280, height: 800 }, colorScheme: 'light' });
await tour('dark', { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' });
await tour('phone', { viewport: { width: 375, height: 720 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
await browser.close();
await mock.close();
