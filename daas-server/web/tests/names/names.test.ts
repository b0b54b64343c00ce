import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ARGUMENTS, EXECUTABLE } from '../e2e/chromium.mjs';
import { noScriptRuns, PAYLOADS, unescaped, type Noticed, type Target } from '../e2e/xss';
import { others } from './screens';
import { APPS, PASSWORD, seed, type Stored } from './seed';
import { ADMIN, Server } from '../server';

let browser: Browser;
let server: Server;
let stored: Stored;
let target: Target;

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS });
  server = await Server.start({ apps: APPS });
  stored = await seed(server.url);
  const named = stored.named.map((name) => ({ name, password: PASSWORD }));
  target = { url: server.url, admin: ADMIN, named, seeded: stored };
});

afterAll(async () => {
  await browser?.close();
  await server?.end();
});

const count = (noticed: readonly Noticed[], what: keyof Noticed) => noticed.filter((one) => one[what]).length;

it('are kept, but for what cannot be seen in them', () => {
  const { users, groups, apps, tokens, refused } = stored;
  console.log(
    `${PAYLOADS.length} payloads: ${apps.length} applications, ${users.length} users, ${groups.length} groups, ${tokens.length} tokens; ` +
      `as they are refused with 422: ${refused.users.length} users, ${refused.groups.length} groups`,
  );
  expect([...apps].sort()).toEqual([...PAYLOADS].sort());
  expect(new Set(users).size).toBe(PAYLOADS.length);
  expect(new Set(groups).size).toBe(PAYLOADS.length);
  expect(refused.users).toEqual(refused.groups);
  expect(refused.users.length).toBeLessThan(PAYLOADS.length / 20);
});

it('run where a page does not escape them, which is noticed', { timeout: 120_000 }, async () => {
  const noticed = await unescaped(browser, target, {});
  console.log(`not escaped, and no policy: ${count(noticed, 'ran')} ran, ${count(noticed, 'foreign')} made elements of their own`);
  // The rest waits for a mouse, or is for other places than text and attributes.
  expect(count(noticed, 'ran')).toBeGreaterThan(80);
  expect(count(noticed, 'foreign')).toBeGreaterThan(120);
});

it('do not run even then where the policy of the server is', { timeout: 120_000 }, async () => {
  const { headers } = await fetch(server.url);
  const policy = headers.get('content-security-policy') ?? '';
  const noticed = await unescaped(browser, target, { 'content-security-policy': policy });
  console.log(`not escaped, with its policy: ${count(noticed, 'ran')} ran, ${count(noticed, 'refused')} were refused`);
  expect(count(noticed, 'ran')).toBe(0);
  expect(count(noticed, 'refused')).toBeGreaterThan(80);
});

it('are shown as they are on every screen, and none of them runs', { timeout: 400_000 }, async () => {
  await noScriptRuns(browser, target, (watch) => others(watch, stored));
});
