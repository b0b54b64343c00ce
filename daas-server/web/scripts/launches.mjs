// How long a launch takes in the browser, from the click to the first picture:
//   TEST_URL=… DAAS_ADMIN_PASSWORD=… npm run --silent launches [-- COUNT [SLUG]]

import { chromium } from 'playwright-core';
import { ARGUMENTS, EXECUTABLE } from '../tests/e2e/chromium.mjs';
import { colours } from '../tests/real/colours.mjs';

const [count = '10', slug = 'desktop'] = process.argv.slice(2);
const { TEST_URL: url = 'http://127.0.0.1:8080', DAAS_ADMIN_PASSWORD: password = '' } = process.env;
const PATIENCE_MS = 30_000;

const browser = await chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS });
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
page.setDefaultTimeout(PATIENCE_MS);

/** More than one colour: somebody has drawn. */
async function picture() {
  for (const end = performance.now() + PATIENCE_MS; (await page.evaluate(colours)) <= 1; ) {
    if (performance.now() > end) throw new Error('there is no picture');
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
}

async function launch() {
  const began = performance.now();
  await page.getByTestId(`launch-${slug}`).click();
  await page.locator('[data-testid=reconnect-state][data-phase=connected]').waitFor();
  await picture();
  const took = performance.now() - began;
  const id = page.url().match(/[0-9a-f]{8}-[0-9a-f-]{27}/)?.[0];
  await page.goto(`${url}/#/instances`);
  await page.getByTestId(`delete-${id}`).click();
  await page.getByTestId('confirm-yes').click();
  await page.getByTestId(`instance-${id}`).waitFor({ state: 'detached' });
  await page.getByTestId('nav-catalogue').click();
  return took;
}

await page.goto(url);
await page.getByTestId('login-name').fill('admin');
await page.getByTestId('login-password').fill(password);
await page.getByTestId('login-submit').click();
const times = [];
for (let n = 0; n < Number(count); n += 1) times.push(await launch());
await browser.close();
const sorted = times.toSorted((a, b) => a - b).map(Math.round);
console.log(`${slug}: median ${sorted[Math.floor(sorted.length / 2)]} ms of ${sorted.length} launches, ${sorted[0]} to ${sorted.at(-1)} ms`);
