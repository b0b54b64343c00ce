/** Every screen on a phone, light and dark, for a program and for people to look at. */

import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'vitest';
import { seed } from '../../mock/seed.mjs';
import { accessible, fitsSideways, logIn, visit, type Visit } from './harness';

const PICTURES = fileURLToPath(new URL('../../test-results/screens', import.meta.url));

type Look = (name: string, fullPage?: boolean) => Promise<void>;

function looker(on: Visit, prefix: string): Look {
  mkdirSync(PICTURES, { recursive: true });
  return async (name, fullPage = true) => {
    await on.page.waitForTimeout(150);
    await on.page.screenshot({ path: `${PICTURES}/${prefix}-${name}.png`, fullPage });
    await fitsSideways(on);
    await accessible(on);
  };
}

/** What somebody sees before and about themselves. */
async function own(on: Visit, look: Look): Promise<void> {
  const { at, page, mock } = on;
  await at('sign-on-example').waitFor();
  await look('login');
  await page.goto(`${mock.url}/#/invitation/secret`);
  await at('invitation-password').fill('12345678');
  await at('invitation-submit').click();
  await look('invitation');
  await at('invitation-leave').click();
  mock.directory.user('user-demo').totp = 'A'.repeat(32);
  await logIn(on);
  await at('totp-submit').click();
  await look('second-step');
  mock.directory.user('user-demo').totp = null;
  await page.reload();
  await logIn(on);
  await at('catalogue-quota').waitFor();
  await look('catalogue');
  await details(on, look);
  await at('nav-profile').click();
  await at('quota-instances').waitFor();
  await look('profile');
  await at('totp-begin').click();
  await at('totp-password').fill('demo');
  await at('totp-ask-submit').click();
  await at('qr').waitFor();
  await look('qr', false);
  await at('totp-confirm-cancel').click();
  await at('token-new').click();
  await at('token-submit').click();
  await look('token', false);
  await at('token-cancel').click();
  await at('log-out').click();
}

/** Of a desktop with a past. */
async function details(on: Visit, look: Look): Promise<void> {
  const { at, mock } = on;
  const [instance] = mock.instances.of('user-demo');
  if (!instance) throw new Error('there is no instance');
  Object.assign(instance, { host: 'lab-1', stale: true });
  mock.instances.fail(instance);
  mock.instances.set(instance, 'stopped');
  mock.instances.snapshots.set(instance.id, [
    { name: 'before-update', made_at: '2026-11-20T09:30:00.000Z' },
    { name: 'x'.repeat(40), made_at: '2026-11-24T10:00:00.000Z' },
  ]);
  await at('nav-instances').click();
  await at(`details-${instance.id}`).waitFor();
  await look('instances');
  await at(`details-${instance.id}`).click();
  await at('snapshot-before-update').waitFor();
  await at('step-failed').waitFor();
  await look('details');
  await at('go-back-before-update').click();
  await look('details-go-back', false);
  await at('confirm-no').click();
}

async function administration(on: Visit, look: Look): Promise<void> {
  const { at } = on;
  // With a number beside the link to it, which takes room.
  on.mock.instances.launch(on.mock.apps[0]!, 'user-admin');
  await logIn(on, 'admin', 'administrator');
  await at('nav-admin').click();
  await at('user-open-user-demo').waitFor();
  await look('users', false);
  await at('user-new').click();
  await at('user-name').fill('new');
  await look('user-new', false);
  await at('user-create-submit').click();
  await at('invitation-link').waitFor();
  await look('invitation-link', false);
  await at('invitation-done').click();
  await at('user-open-user-demo').click();
  await at('user-title').waitFor();
  await look('user');
  await at('user-delete').click();
  await at('user-delete-submit').click();
  await look('user-delete', false);
  await at('user-delete-cancel').click();
  await at('admin-groups').click();
  await at('group-open-group-design').waitFor();
  await look('groups');
  await at('group-open-group-design').click();
  await at('members-search').fill('student');
  await at('members-add-user-1').waitFor();
  await look('group');
  await at('admin-apps').click();
  await at('apps').waitFor();
  await look('apps');
  await on.page.locator('[data-testid^=app-quota-]').first().click();
  await at('quota-instances').fill('many');
  await at('quota-form-submit').click();
  await look('app-quota', false);
  await at('quota-form-cancel').click();
  await at('admin-sessions').click();
  await at('sessions').waitFor();
  await look('sessions');
  await at('admin-hosts').click();
  await at('hosts').waitFor();
  await look('hosts');
  await at('admin-audit').click();
  await at('audit').waitFor();
  await look('audit');
  await on.page.locator('[data-testid^=audit-details-]').nth(1).click();
  await at('audit-diff').waitFor();
  await look('audit-details', false);
}

const PHONE = { viewport: { width: 375, height: 720 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
const DESK = { viewport: { width: 1280, height: 800 } };

describe('every screen', () => {
  it.each([
    ['phone-light', { ...PHONE, colorScheme: 'light' }],
    ['phone-dark', { ...PHONE, colorScheme: 'dark' }],
    ['desk-light', { ...DESK, colorScheme: 'light' }],
    ['desk-dark', { ...DESK, colorScheme: 'dark' }],
  ] as const)('fits and is accessible: %s', { timeout: 180_000 }, async (prefix, context) => {
    const on = await visit({
      context: { ...context, reducedMotion: 'reduce' },
      mock: { providers: [{ id: 'example', name: 'Example University' }] },
    });
    seed(on.mock);
    on.mock.instances.launch(on.mock.apps[0]!, 'user-demo');
    on.mock.instances.launch(on.mock.apps[1]!, 'user-demo');
    const look = looker(on, prefix);
    await own(on, look);
    await administration(on, look);
  });
});
