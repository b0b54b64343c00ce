import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { Client, type Json } from '../client';
import { ARGUMENTS, EXECUTABLE } from '../e2e/chromium.mjs';
import { Server } from '../server';
import { directory, freePort, PERSON, provider, settings, type Directory, type Provider } from './places';

const PICTURES = process.env['TEST_PICTURES'];

let browser: Browser;
let people: Directory;
let corp: Provider;
let server: Server;
let admin: Client;
let group: string;
let context: BrowserContext;
let page: Page;

const at = (testid: string) => page.getByTestId(testid);

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS });
  const port = await freePort();
  people = await directory();
  corp = await provider(`http://127.0.0.1:${port}`);
  server = await Server.start({ port, more: settings(people, corp.about.issuer) });
  admin = await Client.logIn(server.url);
  ({ id: group } = (await admin.done('POST', '/groups', { name: 'Staff of ours', external: ['staff'] })) as { id: string });
});

afterAll(async () => {
  await browser?.close();
  await server?.end();
  await Promise.all([people?.end(), corp?.end()]);
});

beforeEach(async () => {
  context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  page = await context.newPage();
  page.setDefaultTimeout(20_000);
  await page.goto(server.url);
  await at('login-submit').waitFor();
});

afterEach(() => context.close());

async function picture(name: string): Promise<void> {
  if (!PICTURES) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `sign-on-${name}.png`) });
}

async function byPassword(name: string, password: string): Promise<void> {
  await at('login-name').fill(name);
  await at('login-password').fill(password);
  await at('login-submit').click();
}

/** From the page to the provider, up to where it has the password. */
async function atProvider(): Promise<void> {
  await page.getByRole('link', { name: 'Log in with Corp & Co' }).click();
  await page.waitForURL((url) => url.origin === corp.about.issuer);
  await page.locator('#login').fill('grace');
  await page.locator('#password').fill(PERSON.password);
  await page.locator('#log-in').click();
}

async function throughProvider(): Promise<void> {
  await atProvider();
  await page.locator('#allow').click();
  await at('nav-profile').waitFor();
}

/** Where the provider leads back to; the browser is not there yet. */
async function leftProvider(): Promise<string> {
  const action = await page.locator('form').first().getAttribute('action');
  let url = new URL(action ?? '', page.url()).href;
  let answer = await context.request.post(url, { form: { answer: 'allow' }, maxRedirects: 0 });
  while (!url.startsWith(server.url)) {
    url = new URL(answer.headers()['location'] ?? '', url).href;
    if (!url.startsWith(server.url)) answer = await context.request.get(url, { maxRedirects: 0 });
  }
  return url;
}

const members = async () => ((await admin.done('GET', `/groups/${group}`))['users'] as Json[]).map(({ name }) => name);

it('lets people of the directory in by its password, with their groups', async () => {
  await byPassword(PERSON.name, 'wrong');
  await page.getByText('Name or password is wrong.').waitFor();
  await byPassword(PERSON.name, PERSON.password);
  await at('nav-profile').click();
  await page.getByText('ada · ').first().waitFor();
  await picture('directory');
  expect(await members()).toContain('ada');
  await at('log-out').click();
  await at('login-submit').waitFor();
});

it('knows whom the directory no longer lets in', async () => {
  await byPassword('admin', PERSON.password);
  await page.getByText('Name or password is wrong.').waitFor();
  await byPassword('nobody', PERSON.password);
  await page.getByText('Name or password is wrong.').waitFor();
});

it('lets people of the provider in, and out again on both sides', async () => {
  await picture('ways');
  await page.goto(`${server.url}/#/profile`);
  await at('login-submit').waitFor();
  await throughProvider();
  await page.getByText('grace · ').first().waitFor();
  expect(page.url()).toBe(`${server.url}/#/profile`);
  await picture('provider');
  expect(await members()).toContain('grace');
  const cookies = (await context.cookies(server.url)).filter(({ name }) => name.startsWith('daas_'));
  expect(cookies.map(({ name, httpOnly, sameSite }) => ({ name, httpOnly, sameSite }))).toEqual([
    { name: 'daas_session', httpOnly: true, sameSite: 'Strict' },
  ]);

  await at('log-out').click();
  await page.waitForURL((url) => url.origin === corp.about.issuer);
  await page.locator('button[name=logout], button[value=yes]').first().click();
  await page.waitForURL((url) => url.origin === server.url);
  await at('login-submit').waitFor();
  // The provider asks for the password again, so it has forgotten as well.
  await page.getByRole('link', { name: 'Log in with Corp & Co' }).click();
  await page.locator('#password').waitFor();
});

it('says so when somebody does not want to, after all', async () => {
  await atProvider();
  await page.locator('#deny').click();
  await at('login-hint').getByText('did not let you in').waitFor();
  await picture('denied');
});

it('says so when somebody is disabled', async () => {
  const { items } = await admin.done('GET', '/users?q=grace');
  const [{ id }] = items as [{ id: string }];
  await admin.done('PATCH', `/users/${id}`, { disabled: true });
  await atProvider();
  await page.locator('#allow').click();
  await at('login-hint').getByText('Your account is disabled').waitFor();
  await admin.done('PATCH', `/users/${id}`, { disabled: false });
});

it('says so when the provider is gone', async () => {
  await atProvider();
  await page.locator('#allow').waitFor();
  const back = await leftProvider();
  await corp.end();
  await page.goto(back);
  await at('login-hint').getByText('could not be asked').waitFor();
  await byPassword(PERSON.name, PERSON.password);
  await at('nav-profile').waitFor();
});
