/** Screens that a server alone fills: the log, quotas, rules, tokens, browsers, errors. */

import { expect } from 'vitest';
import { DETAILS, whole, type Watch } from '../e2e/xss';
import type { Stored } from './seed';
import { ADMIN } from '../server';

/** A few of all, from everywhere among them. */
function some<T>(all: readonly T[]): T[] {
  const step = Math.max(1, Math.floor(all.length / DETAILS));
  return all.filter((_, n) => n % step === 0);
}

export async function others(watch: Watch, stored: Stored): Promise<void> {
  await audit(watch, stored);
  await quotas(watch);
  await rules(watch, stored);
  await profile(watch, stored);
  await search(watch, stored);
  await taken(watch, stored);
  await notLaunched(watch);
}

async function audit(watch: Watch, { users, groups, apps }: Stored): Promise<void> {
  await whole(watch, 'audit');
  await watch.shows('audit', watch.at('audit').locator('bdi'), [...users, ...groups, ...apps]);
  const buttons = watch.page.locator('[data-testid^=audit-details-]');
  for (const n of some([...Array(await buttons.count()).keys()])) {
    await buttons.nth(n).click();
    await watch.at('audit-dialog').waitFor();
    await watch.clean('audit details');
    await watch.at('audit-close').click();
  }
  for (const name of some(users)) {
    await watch.at('audit-target').fill(name);
    await watch.at('audit-show').click();
    await watch.at('audit').locator('bdi').getByText(name, { exact: true }).first().waitFor();
  }
  await watch.clean('audit, filtered');
}

async function quotas(watch: Watch): Promise<void> {
  const names = await (await whole(watch, 'apps')).allTextContents();
  const buttons = watch.page.locator('[data-testid^=app-quota-]');
  for (const n of some([...names.keys()])) {
    await buttons.nth(n).click();
    expect(await watch.at('app-dialog').locator('h2').textContent()).toContain(names[n]);
    await watch.clean('quota of an application');
    await watch.page.keyboard.press('Escape');
  }
}

/** The applications that a rule may be about are in a list; the groups of a user are beside it. */
async function rules(watch: Watch, { apps, groups }: Stored): Promise<void> {
  const users = await whole(watch, 'users');
  const all = await users.evaluateAll((names) => names.map((name) => [name.textContent, name.closest('a')?.getAttribute('href') ?? '']));
  const addresses = all.filter(([name]) => name !== ADMIN.name).map(([, address]) => address ?? '');
  for (const address of some(addresses)) {
    await watch.go(address);
    await watch.at('rule-0-app').waitFor();
    await watch.shows('rules', watch.at('rule-0-app').locator('option'), apps);
    const chosen = await watch.at('user-groups-chosen').locator('bdi').allTextContents();
    expect(chosen.length).toBeGreaterThan(0);
    expect(chosen.filter((name) => !groups.includes(name))).toEqual([]);
  }
}

async function profile(watch: Watch, { tokens }: Stored): Promise<void> {
  await watch.go('#/profile');
  await watch.shows('tokens', watch.at('tokens').locator('th bdi'), tokens);
  const buttons = watch.page.locator('[data-testid^=token-delete-]');
  for (const n of some([...Array(await buttons.count()).keys()])) {
    await buttons.nth(n).click();
    await watch.at('confirm').waitFor();
    await watch.clean('deleting a token');
    await watch.at('confirm-no').click();
  }
  await watch.at('logins').waitFor();
  expect(await watch.at('logins').innerText()).toContain('<script');
  await watch.clean('browsers');
}

async function search(watch: Watch, { users }: Stored): Promise<void> {
  await watch.go('#/admin/users');
  for (const name of some(users)) {
    await watch.at('users-search').fill(name);
    await watch.at('users').locator('th bdi').getByText(name, { exact: true }).first().waitFor();
  }
  await watch.clean('searching users');
}

/** A name that is taken, and one that cannot be. */
async function taken(watch: Watch, { users }: Stored): Promise<void> {
  const short = users.filter(({ length }) => length <= 64);
  for (const name of [...some(short), '\u202e<img src=x onerror=pwned(1)>']) {
    await watch.go('#/admin/users');
    await watch.at('user-new').click();
    await watch.at('user-name').fill(name);
    await watch.at('user-create-submit').click();
    await watch.at('user-dialog').locator('[aria-invalid=true], [role=alert] p').first().waitFor();
    await watch.clean('a name that is refused');
    await watch.page.keyboard.press('Escape');
    await watch.at('user-dialog').waitFor({ state: 'detached' });
  }
}

/** There is no engine, so what is launched fails, and that is told with the name. */
async function notLaunched(watch: Watch): Promise<void> {
  await watch.go('#/');
  const buttons = watch.page.locator('[data-testid^=launch-]');
  await buttons.first().waitFor();
  for (const n of some([...Array(await buttons.count()).keys()])) {
    await buttons.nth(n).click();
    await watch.page.getByRole('alert').first().waitFor();
    await watch.clean('a launch that fails');
    await watch.go('#/');
    await buttons.first().waitFor();
  }
}
