/** A running server with a real engine and guacd behind it, and a browser in front. */

import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chromium, type Browser, type Locator, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { ARGUMENTS, EXECUTABLE } from '../e2e/chromium.mjs';
import { colours } from './colours.mjs';

const run = promisify(execFile);

export const PATIENCE_MS = 30_000;
const PICTURES = process.env['TEST_PICTURES'] ?? fileURLToPath(new URL('../../test-results/real', import.meta.url));

function needed(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; scripts/test real sets it`);
  return value;
}

export const URL_OF_SERVER = needed('TEST_URL');
export const PASSWORD = needed('DAAS_ADMIN_PASSWORD');
const INSTALLATION = needed('DAAS_DOCKER__INSTALLATION');

export async function docker(...args: string[]): Promise<string> {
  const { stdout } = await run('docker', args, { maxBuffer: 16 << 20 });
  return stdout.trim();
}

/** Containers of desktops, as the engine lists them. */
export async function desktops(...options: string[]): Promise<string[]> {
  const label = `label=daas.installation=${INSTALLATION}`;
  const ids = await docker('ps', '-q', ...options, '--filter', label, '--filter', 'label=daas.instance');
  return ids.split('\n').filter((id) => id !== '');
}

/** The one desktop that runs. */
export async function theDesktop(): Promise<string> {
  const [id, ...others] = await desktops();
  expect(others).toEqual([]);
  if (id === undefined) throw new Error('no desktop runs');
  return id;
}

/** Runs a command in the desktop, as its user. */
export async function inside(command: string): Promise<string> {
  return docker('exec', await theDesktop(), 'sh', '-c', command);
}

/** Ends guacd by the hardest way there is; the engine starts it again. */
export async function killGuacd(): Promise<void> {
  await docker('exec', `${INSTALLATION}-guacd`, 'sh', '-c', 'kill -9 -1').catch(() => undefined);
}

export class Visit {
  /** What must be empty at the end: violations of the policy, and errors that nobody caught. */
  readonly wrong: string[] = [];

  private constructor(
    private readonly browser: Browser,
    readonly page: Page,
  ) {}

  static async begin(): Promise<Visit> {
    const browser = await chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS });
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const visit = new Visit(browser, page);
    page.on('pageerror', (error) => visit.wrong.push(`uncaught: ${error.message}`));
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) visit.wrong.push(message.text());
    });
    await page.goto(URL_OF_SERVER);
    return visit;
  }

  async end(): Promise<void> {
    await this.browser.close();
    expect(this.wrong).toEqual([]);
  }

  at(testId: string): Locator {
    return this.page.getByTestId(testId);
  }

  async logIn(): Promise<void> {
    await this.at('login-name').fill('admin');
    await this.at('login-password').fill(PASSWORD);
    await this.at('login-submit').click();
    await this.at('launch-desktop').waitFor();
  }

  async phase(wanted: string): Promise<void> {
    await this.page.locator(`[data-testid=reconnect-state][data-phase=${wanted}]`).waitFor();
  }

  async colours(): Promise<number> {
    return this.page.evaluate(colours);
  }

  /** Until the picture is one: a canvas that nobody drew on has one colour. */
  async picture(): Promise<void> {
    await this.phase('connected');
    await until('there is a picture', async () => (await this.colours()) > 8);
  }

  async screenshot(name: string): Promise<void> {
    mkdirSync(PICTURES, { recursive: true });
    await this.page.screenshot({ path: `${PICTURES}/${name}.png` });
  }

  async openBar(): Promise<void> {
    if (!(await this.at('bar-clipboard').isVisible())) await this.at('bar-toggle').click();
    await this.at('bar-clipboard').waitFor();
  }
}

export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  let last: unknown;
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    try {
      if (await holds()) return;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited in vain: ${what}`, { cause: last });
}
