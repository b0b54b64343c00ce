/** Puts the payloads into everything of a server that has a name. */

import { PAYLOADS, type Seeded } from '../e2e/xss';
import { Client, type Answer, type Json } from '../client';
import type { App } from '../server';

/** Characters that no name of a user, group or token may have: those that cannot be seen. */
const HIDDEN = /[\p{Cc}\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;
export const PASSWORD = 'a password of tests';
const TOKENS = 40;
const BROWSERS = 24;

/** What the server took, and what it refused at first. */
export interface Stored extends Seeded {
  readonly tokens: readonly string[];
  /** Names that were taken only without what cannot be seen in them. */
  readonly refused: { readonly users: readonly string[]; readonly groups: readonly string[] };
  /** Those with a password. */
  readonly named: readonly string[];
}

/** One application for each payload. The configuration takes every text as a name. */
export const APPS: readonly App[] = PAYLOADS.map((name, n) => ({ slug: `app-${n}`, name, description: name }));

interface Kept {
  readonly name: string;
  readonly id: string;
}

/** Makes something of each payload. Where a name is refused, it must be for what is hidden in it. */
async function each(make: (name: string, n: number) => Promise<Answer>, id: (body: Json) => unknown) {
  const kept: Kept[] = [];
  const refused: string[] = [];
  for (const [n, payload] of PAYLOADS.entries()) {
    let name = payload;
    let answer = await make(name, n);
    if (answer.status === 422 && name.search(HIDDEN) >= 0) {
      refused.push(payload);
      name = payload.replaceAll('\t', ' ').replaceAll(HIDDEN, '');
      answer = await make(name, n);
    }
    if (answer.status !== 201) throw new Error(`${name}: ${answer.status} ${JSON.stringify(answer.body)}`);
    kept.push({ name, id: String(id(answer.body)) });
  }
  return { kept, refused };
}

/** Fills a server that was started with the applications above, and has nothing else yet. */
export async function seed(url: string): Promise<Stored> {
  const client = await Client.logIn(url);
  const apps = await appsOf(client);
  const groups = await each(
    (name) => client.send('POST', '/groups', { name, description: name.replaceAll(HIDDEN, ''), external: [name] }),
    ({ id }) => id,
  );
  const users = await each(
    (name, n) => client.send('POST', '/users', { name, role: 'user', ...(isNamed(n) ? { password: PASSWORD } : {}), group_ids: idsAt(groups.kept, n) }),
    ({ user }) => (user as Json)['id'],
  );
  await limits(client, users.kept, groups.kept, apps);
  const tokens = await makeTokens(client, users.kept);
  await browsers(url);
  const names = (kept: readonly Kept[]) => kept.map(({ name }) => name);
  return {
    apps: names(apps),
    users: names(users.kept),
    groups: names(groups.kept),
    tokens,
    refused: { users: users.refused, groups: groups.refused },
    named: names(users.kept.filter((_, n) => isNamed(n))),
  };
}

const isNamed = (n: number) => n % 25 === 0;
const idsAt = (kept: readonly Kept[], n: number) => kept.slice(n, n + 2).map(({ id }) => id);

async function appsOf(client: Client): Promise<Kept[]> {
  const { items } = await client.done('GET', '/apps');
  return (items as Json[]).map(({ id, name }) => ({ id: String(id), name: String(name) }));
}

/** Rules about applications, and quotas: they are shown with names, and go into the audit log. */
async function limits(client: Client, users: readonly Kept[], groups: readonly Kept[], apps: readonly Kept[]) {
  const quota = { instances: 1, cpu_millis: null, memory_mib: null, disk_mib: null, hours_week: null };
  for (const [n, app] of apps.entries()) {
    const rules = { items: [{ permission: 'apps_launch', app_id: app.id, effect: 'allow' }] };
    await client.done('PUT', `/apps/${app.id}/quota`, quota);
    await client.done('PUT', `/users/${users[n]?.id}/rules`, rules);
    await client.done('PUT', `/groups/${groups[n]?.id}/rules`, rules);
  }
}

async function makeTokens(client: Client, users: readonly Kept[]): Promise<string[]> {
  const step = Math.floor(users.length / TOKENS);
  const names = users.filter((_, n) => n % step === 0).map(({ name }) => name).slice(0, TOKENS);
  for (const name of names) {
    await client.done('POST', '/tokens', { name, scopes: ['apps_read'], expires_in_days: 1 });
  }
  return names;
}

/** Browsers that call themselves so. */
async function browsers(url: string): Promise<void> {
  // A header takes these only.
  const names = PAYLOADS.filter((name) => /^[\x20-\x7e]+$/.test(name));
  for (const name of names.slice(0, BROWSERS)) await Client.logIn(url, name);
}
