/** Names that would run as scripts where they were not shown as text, on any server. */

import { readFileSync } from 'node:fs';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { expect } from 'vitest';

export const PAYLOADS = JSON.parse(readFileSync(new URL('xss-payloads.json', import.meta.url), 'utf8')) as string[];

/** What of the payloads the server took, as it keeps it. */
export interface Seeded {
  readonly users: readonly string[];
  readonly groups: readonly string[];
  readonly apps: readonly string[];
}

export interface Target {
  /** Where the page is. */
  readonly url: string;
  /** An administrator. */
  readonly admin: Account;
  /** Somebody whose name is a payload. */
  readonly named: readonly Account[];
  readonly seeded: Seeded;
}

interface Account {
  readonly name: string;
  readonly password: string;
}

/** How many details are opened of each list: they show the same by the same means. */
export const DETAILS = 12;
const PATIENCE_MS = 20_000;
/** A script may start a little later than its element is there. */
const PAUSE_MS = 250;

type Hooks = { pwned(what: unknown): void; violated(what: string): void };

/** A page with what notices scripts, and everything else that must not come out of a name. */
export class Watch {
  readonly seen: string[] = [];

  private constructor(
    readonly page: Page,
    readonly target: Target,
  ) {}

  static async begin(context: BrowserContext, target: Target): Promise<Watch> {
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const watch = new Watch(page, target);
    await watch.#listen();
    return watch;
  }

  async #listen(): Promise<void> {
    const { page, seen } = this;
    const { origin } = new URL(this.target.url);
    await page.exposeFunction('pwned', (what: unknown) => void seen.push(`ran: ${String(what)}`));
    await page.exposeFunction('violated', (what: string) => void seen.push(`policy: ${what}`));
    await page.addInitScript(() => {
      const { violated } = window as unknown as Hooks;
      document.addEventListener('securitypolicyviolation', (event) =>
        violated(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`),
      );
    });
    page.on('dialog', (dialog) => {
      seen.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('pageerror', (error) => seen.push(`uncaught: ${error.message}`));
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) seen.push(message.text());
    });
    page.on('request', (request) => {
      if (/^https?:/.test(request.url()) && new URL(request.url()).origin !== origin) seen.push(`asked: ${request.url()}`);
    });
  }

  at(testId: string): Locator {
    return this.page.getByTestId(testId);
  }

  async go(hash: string): Promise<void> {
    await this.page.goto(`${this.target.url}/${hash}`);
  }

  async logIn({ name, password }: Account): Promise<void> {
    await this.at('login-name').fill(name);
    await this.at('login-password').fill(password);
    await this.at('login-submit').click();
    await this.at('nav-profile').waitFor();
  }

  /** Elements and attributes that came out of a text. */
  async foreign(): Promise<string[]> {
    return this.page.evaluate(() => {
      const own = (element: Element) =>
        element.matches('script') && element.getAttribute('src')?.startsWith('/assets/') && !element.textContent;
      const kinds = 'script, iframe, object, embed, base, math, foreignObject, animate, use, marquee, frameset, xss, meta[http-equiv]';
      const bad = [...document.querySelectorAll(kinds)].filter((element) => !own(element));
      const named = [...document.querySelectorAll('*')].filter((element) =>
        [...element.attributes].some(({ name, value }) => /^on/i.test(name) || (/^(href|src|action|formaction|data)$/i.test(name) && /^\s*(javascript|vbscript):/i.test(value))),
      );
      return [...bad, ...named].map((element) => element.outerHTML.slice(0, 120));
    });
  }

  /** Nothing is on the page that came out of a text, and nothing has run. */
  async clean(where: string): Promise<void> {
    await this.page.waitForTimeout(PAUSE_MS);
    const foreign = await this.foreign();
    expect({ where, foreign, seen: this.seen }).toEqual({ where, foreign: [], seen: [] });
  }

  /** These texts are there, letter by letter. */
  async shows(where: string, texts: Locator, wanted: readonly string[]): Promise<void> {
    await texts.first().waitFor({ state: 'attached' });
    const shown = new Set(await texts.allTextContents());
    expect({ where, missing: wanted.filter((text) => !shown.has(text)) }).toEqual({ where, missing: [] });
    await this.clean(where);
  }
}

/** Walks through every screen that shows names, and through what else there is on a server. */
export async function noScriptRuns(
  browser: Browser,
  target: Target,
  others: (watch: Watch) => Promise<void> = async () => undefined,
): Promise<void> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const watch = await Watch.begin(context, target);
  try {
    await watch.page.goto(target.url);
    await watch.logIn(target.admin);
    await walk(watch);
    await others(watch);
    await asNamed(watch);
  } catch (error) {
    // What ran may have taken the page apart: that is the reason then.
    expect(watch.seen).toEqual([]);
    throw error;
  } finally {
    await context.close();
  }
}

async function walk(watch: Watch): Promise<void> {
  await lists(watch);
  await details(watch);
  await ownScreens(watch);
}

/** The names of a list, with all of its parts. */
export async function whole(watch: Watch, part: string): Promise<Locator> {
  await watch.go(`#/admin/${part}`);
  await watch.at(part).waitFor();
  const more = watch.at(`${part}-more`);
  while ((await more.count()) > 0) {
    const rows = await watch.page.locator('tbody tr').count();
    await more.click();
    await watch.page.locator('tbody tr').nth(rows).waitFor();
  }
  return watch.at(part).locator('tbody th bdi');
}

/** What was noticed of a payload that nothing keeps from being part of a page. */
export interface Noticed {
  /** Its script ran. */
  readonly ran: boolean;
  /** The policy said no. */
  readonly refused: boolean;
  /** What it should have been a name of has elements or attributes of its own. */
  readonly foreign: boolean;
}

/**
 * The other way round: each payload as it is in the text and in an attribute of a page of the
 * same server, with these headers. What notices nothing here would notice nothing elsewhere.
 */
export async function unescaped(browser: Browser, target: Target, headers: Record<string, string>): Promise<Noticed[]> {
  const context = await browser.newContext();
  const watch = await Watch.begin(context, target);
  const noticed: Noticed[] = [];
  for (const payload of PAYLOADS) {
    const body = `<!doctype html><body>${payload}<input value="${payload}" autofocus>`;
    await watch.page.route('**/unescaped', (route) => route.fulfill({ body, contentType: 'text/html', headers }));
    watch.seen.length = 0;
    await watch.page.goto(`${target.url}/unescaped`);
    await watch.page.waitForTimeout(PAUSE_MS / 5);
    // Some payloads leave the page.
    const foreign = await watch.foreign().catch(() => ['another page']);
    noticed.push({
      ran: watch.seen.some((line) => /^(ran|dialog):/.test(line)),
      refused: watch.seen.some((line) => line.startsWith('policy:')),
      foreign: foreign.length > 0,
    });
    await watch.page.unroute('**/unescaped');
  }
  await context.close();
  return noticed;
}

async function lists(watch: Watch): Promise<void> {
  const { users, groups, apps } = watch.target.seeded;
  await watch.shows('users', await whole(watch, 'users'), users);
  await watch.shows('groups', await whole(watch, 'groups'), groups);
  await watch.shows('applications', await whole(watch, 'apps'), apps);
  await watch.go('#/');
  await watch.shows('catalogue', watch.page.locator('[data-testid^=app-] h2'), apps);
  for (const part of ['audit', 'sessions']) {
    await watch.go(`#/admin/${part}`);
    await watch.page.locator(`[data-testid=${part}], [data-testid=${part}-empty]`).waitFor();
    await watch.clean(part);
  }
}

async function details(watch: Watch): Promise<void> {
  for (const part of ['users', 'groups']) {
    const all = await whole(watch, part);
    const addresses = await all.evaluateAll((names) => names.map((name) => name.closest('a')?.getAttribute('href') ?? ''));
    const names = await all.allTextContents();
    const step = Math.max(1, Math.floor(addresses.length / DETAILS));
    for (let n = 0; n < addresses.length; n += step) {
      await watch.go(addresses[n] ?? '');
      await watch.shows(part, watch.page.locator('[data-testid$=-title] bdi'), [names[n] ?? '']);
      await watch.at(part === 'users' ? 'user-delete' : 'group-delete').click();
      await watch.page.locator('dialog h2').waitFor();
      expect(await watch.page.locator('dialog h2').textContent()).toContain(names[n]);
      await watch.page.keyboard.press('Escape');
    }
    await chooser(watch, part);
  }
}

/** On the screen of a user groups are chosen, and on that of a group users. */
async function chooser(watch: Watch, part: string): Promise<void> {
  const [field, names] = part === 'users' ? ['user-groups', watch.target.seeded.groups] as const : ['members', watch.target.seeded.users] as const;
  for (const name of names.slice(0, DETAILS)) {
    await watch.at(`${field}-search`).fill(name);
    const found = watch.page.locator(`[data-testid^=${field}-add-] bdi`).getByText(name, { exact: true }).first();
    await found.waitFor();
    await found.click();
    await watch.at(`${field}-chosen`).getByText(name, { exact: true }).waitFor();
  }
  await watch.clean(`choosing ${part}`);
}

async function ownScreens(watch: Watch): Promise<void> {
  for (const hash of ['#/instances', '#/profile']) {
    await watch.go(hash);
    await watch.page.locator('main h1').waitFor();
    await watch.clean(hash);
  }
}

async function asNamed(watch: Watch): Promise<void> {
  for (const account of watch.target.named) {
    await watch.at('log-out').click();
    await watch.logIn(account);
    await watch.shows('own name', watch.at('nav-profile').locator('bdi'), [account.name]);
  }
}
