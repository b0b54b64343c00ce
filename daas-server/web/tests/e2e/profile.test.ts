import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { totp } from '../../mock/totp.mjs';
import { logIn, until, visit, type Visit } from './harness';

async function toProfile(on: Visit, name = 'demo', password = 'demo'): Promise<void> {
  await logIn(on, name, password);
  await on.at('nav-profile').click();
  await on.at('password-section').waitFor();
}

async function changePassword({ at }: Visit, current: string, wanted: string): Promise<void> {
  await at('password-current').fill(current);
  await at('password-new-password').fill(wanted);
  await at('password-new-again').fill(wanted);
  await at('password-submit').click();
}

describe('the own password', () => {
  it('is changed, and other browsers are logged out', async () => {
    const on = await visit();
    const { mock, page, at } = on;
    const other = mock.beginSession(mock.directory.user('user-demo'), { setHeader: () => undefined } as never, {
      address: '192.0.2.1',
      user_agent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    });
    await toProfile(on);
    await page.getByText('Firefox, Linux').waitFor();
    await changePassword(on, 'wrong', 'correct horse battery');
    await page.getByText('The present password is wrong.').waitFor();
    await changePassword(on, 'demo', 'correct horse battery');
    await page.getByText('The password is changed.').waitFor();
    expect(await at('password-current').inputValue()).toBe('');
    expect([...mock.sessions.values()]).not.toContain(other);
    await until('the list is short', async () => (await page.locator('[data-testid^=logins-]').count()) > 0 && (await page.getByText('Firefox, Linux').count()) === 0);
    // The token against forgery is a new one too.
    await at('log-out').click();
    await logIn(on, 'demo', 'correct horse battery');
    await at('app-debian').waitFor();
  });

  it('is not here for those who log in elsewhere', async () => {
    const on = await visit();
    on.mock.directory.user('user-demo').source = 'oidc';
    await logIn(on);
    await on.at('nav-profile').click();
    await on.page.getByText('You log in by another service.').waitFor();
    await on.at('tokens-section').waitFor();
    expect(await on.at('password-section').count()).toBe(0);
    expect(await on.at('totp-section').count()).toBe(0);
  });
});

describe('the second step', () => {
  it('is set up with a code, gives recovery codes once, and is switched off', async () => {
    const on = await visit({ permissions: ['clipboard-read', 'clipboard-write'] });
    const { at, page, mock } = on;
    await toProfile(on);
    await at('totp-begin').click();
    await at('totp-password').fill('wrong');
    await at('totp-ask-submit').click();
    await at('totp-ask-problem').getByText('The password is wrong.').waitFor();
    await at('totp-password').fill('demo');
    await at('totp-ask-submit').click();
    await at('qr').waitFor();
    const secret = (await at('totp-secret').textContent()) ?? '';
    await at('totp-code').fill('000');
    await at('totp-confirm-submit').click();
    await page.getByText('That code is wrong or too old').waitFor();
    await at('totp-code').fill(totp(secret));
    await at('totp-confirm-submit').click();
    const codes = await at('recovery-codes').inputValue();
    expect(codes.split('\n')).toEqual(mock.directory.user('user-demo').recovery);
    await at('recovery-codes-copy').click();
    await page.getByText('Copied.').waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(codes);
    await page.keyboard.press('Escape');
    expect(await at('recovery-codes').isVisible()).toBe(true);
    const [download] = await Promise.all([page.waitForEvent('download'), at('recovery-codes-download').click()]);
    expect(download.suggestedFilename()).toBe('recovery-codes.txt');
    expect(readFileSync(await download.path(), 'utf8')).toBe(`${codes}\n`);
    await at('recovery-done').click();
    expect(await page.content()).not.toContain(codes.split('\n')[0]);

    await at('totp-disable').click();
    await at('totp-password').fill('demo');
    await at('totp-ask-submit').click();
    await at('totp-begin').waitFor();
    expect(mock.directory.user('user-demo').totp).toBeNull();
  });
});

describe('the own sessions', () => {
  it('show which one is this, and others can be ended', async () => {
    const on = await visit();
    const { mock, at, page } = on;
    const user = mock.directory.user('user-demo');
    const silent = { setHeader: () => undefined } as never;
    const [first] = ['1', '2', '3'].map((n) => mock.beginSession(user, silent, { address: `192.0.2.${n}`, user_agent: `agent-${n}` }));
    await toProfile(on);
    await page.getByText('agent-3').waitFor();
    expect(await at('login-current').count()).toBe(1);
    await at(`login-end-${first?.id}`).click();
    await page.getByText('It is logged out.').waitFor();
    await page.getByText('agent-1').waitFor({ state: 'detached' });
    await at('logins-end-others').click();
    await page.getByText('All others are logged out.').waitFor();
    expect(mock.sessions.size).toBe(1);
    await at('logins-end-others').waitFor({ state: 'detached' });
  });
});

describe('tokens', () => {
  it('are made with what they may do, shown once, and deleted', async () => {
    const on = await visit();
    const { at, page, mock } = on;
    await toProfile(on);
    await page.getByText('You have no tokens.').waitFor();
    await at('token-new').click();
    await at('token-submit').click();
    await page.getByText('Choose at least one.').waitFor();
    await at('token-name').fill('Backup <b>');
    await at('token-scope-instances_read').check();
    await at('token-scope-apps_read').check();
    await at('token-days').fill('367');
    await at('token-submit').click();
    await page.getByText('Enter a number from 1 to 366.').waitFor();
    await at('token-days').fill('30');
    await at('token-submit').click();
    const secret = await at('token-secret').inputValue();
    expect(secret).toMatch(/^daas_/);
    await at('token-done').click();
    await page.getByText('Backup <b>').waitFor();
    expect(await page.content()).not.toContain(secret);
    const [token] = [...mock.directory.tokens.values()];
    expect(token?.scopes).toEqual(['instances_read', 'apps_read']);
    await at(`token-delete-${token?.id}`).click();
    await at('confirm-yes').click();
    await page.getByText('You have no tokens.').waitFor();
  });
});

describe('quotas', () => {
  it('are seen before they are hit, and a launch that would exceed them is not offered', async () => {
    const on = await visit();
    const { at, mock, page } = on;
    mock.directory.user('user-demo').quota.instances = 2;
    const [debian] = mock.apps;
    mock.directory.appQuotas.set(debian?.id ?? '', { ...mock.directory.defaultQuota, instances: 1 });
    await logIn(on);
    await at('catalogue-quota').getByText('0 of 2 desktops').waitFor();
    mock.instances.launch(mock.apps[0]!, 'user-demo');
    await at('catalogue-quota').getByText('1 of 2 desktops').waitFor();
    await at('full-debian').getByText('You have as many of this as you may (1).').waitFor();
    expect(await at('launch-debian').isDisabled()).toBe(true);
    expect(await at('launch-editor').isEnabled()).toBe(true);
    mock.instances.launch(mock.apps[1]!, 'user-demo');
    await at('full-editor').getByText('You have as many as you may (2 desktops). Delete one first.').waitFor();
    await at('nav-profile').click();
    await at('quota-instances').getByText('2 of 2 desktops').waitFor();
    await page.getByText('Of Debian desktop').waitFor();
    for (const instance of mock.instances.of('user-demo')) mock.instances.set(instance, 'deleted');
    await at('nav-catalogue').click();
    // It may be a moment until the page knows.
    await page.locator('[data-testid=launch-debian]:enabled').waitFor();
    expect(await at('full-editor').count()).toBe(0);
  });

  it('do not keep anybody from launching where the server says nothing of them', async () => {
    const on = await visit();
    on.mock.faults.set('GET /profile/quota', { status: 404, times: 99 });
    await logIn(on);
    await on.at('app-debian').waitFor();
    expect(await on.at('launch-debian').isEnabled()).toBe(true);
    expect(await on.at('catalogue-quota').count()).toBe(0);
  });
});
