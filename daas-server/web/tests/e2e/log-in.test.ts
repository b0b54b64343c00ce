import { describe, expect, it } from 'vitest';
import { newSecret, totp } from '../../mock/totp.mjs';
import { logIn, until, visit, type Visit } from './harness';

/** Gives somebody a second step. */
function withTotp({ mock }: Visit, recovery: string[] = []): string {
  const secret = newSecret();
  Object.assign(mock.directory.user('user-demo'), { totp: secret, recovery });
  return secret;
}

describe('the second step', () => {
  it('is asked for when the password is right, and takes the code of an app', async () => {
    const on = await visit();
    const secret = withTotp(on);
    await logIn(on);
    const field = on.at('totp-code');
    await field.waitFor();
    expect(await field.getAttribute('autocomplete')).toBe('one-time-code');
    expect(await field.evaluate((element) => element === document.activeElement)).toBe(true);
    await on.at('totp-submit').click();
    await on.page.getByText('Enter a code.').waitFor();
    await field.fill('abcdef');
    await on.at('totp-submit').click();
    await on.page.getByText('That code is wrong or too old').waitFor();
    on.mock.faults.set('POST /session', { status: 429, headers: { 'Retry-After': '90' } });
    await on.at('totp-submit').click();
    await on.page.getByText('Too many attempts. Try again in 1 min 30 s.').waitFor();
    const code = totp(secret);
    await field.fill(`${code.slice(0, 3)} ${code.slice(3)}`);
    await on.page.keyboard.press('Enter');
    await on.at('app-debian').waitFor();
  });

  it('takes a recovery code instead, once', async () => {
    const on = await visit();
    withTotp(on, ['abcde-12345']);
    for (const enough of [true, false]) {
      await logIn(on);
      await on.at('totp-code').fill('abcde-12345');
      await on.at('totp-submit').click();
      if (!enough) break;
      await on.at('log-out').click();
    }
    await on.page.getByText('That code is wrong').waitFor();
    await on.at('totp-back').click();
    expect(await on.at('login-password').inputValue()).toBe('');
  });

  it('is not asked for when the password is wrong', async () => {
    const on = await visit();
    withTotp(on);
    await logIn(on, 'demo', 'wrong');
    await on.page.getByText('Name or password is wrong.').waitFor();
    expect(await on.at('totp-code').count()).toBe(0);
  });
});

describe('other services', () => {
  it('are plain links, and what went wrong there is said and leaves the address', async () => {
    const on = await visit({ mock: { providers: [{ id: 'uni/1', name: 'Example University' }] } });
    const link = on.page.getByRole('link', { name: 'Log in with Example University' });
    expect(await link.getAttribute('href')).toBe('/api/v1/sign-on/oidc/uni%2F1');
    await link.click();
    await on.page.getByText('The other service did not let you in.').waitFor();
    expect(on.page.url()).toBe(`${on.mock.url}/`);
    await logIn(on);
    await on.at('app-debian').waitFor();
  });

  it('lead back to where somebody wanted to go', async () => {
    const on = await visit({ mock: { providers: [{ id: 'uni', name: 'Uni' }] } });
    await on.page.goto(`${on.mock.url}/#/profile`);
    await on.at('sign-on-uni').click();
    await on.at('login-hint').waitFor();
    expect(on.page.url()).toBe(`${on.mock.url}/#/profile`);
    await on.page.goto(`${on.mock.url}/`);
    await on.page.reload();
    expect(on.page.url(), 'once').toBe(`${on.mock.url}/`);
  });

  it.each([
    ['expired', 'That took too long.'],
    ['disabled', 'Your account is disabled.'],
    ['<img src=x onerror=alert(1)>', 'did not work'],
  ])('%s', async (word, words) => {
    const on = await visit();
    await on.page.goto(`${on.mock.url}/?sign_on_error=${encodeURIComponent(word)}&more=1#/instances`);
    await on.at('login-hint').getByText(words).waitFor();
    expect(on.page.url()).toBe(`${on.mock.url}/?more=1#/instances`);
  });

  it('are not needed: without an answer there is the password', async () => {
    const on = await visit();
    on.mock.faults.set('GET /sign-on', { status: 404 });
    await on.page.reload();
    await logIn(on);
    await on.at('app-debian').waitFor();
  });
});

describe('an invitation', () => {
  it('leaves the address and the history at once, takes a password and logs in', async () => {
    const on = await visit();
    const { at, page, mock } = on;
    const user = mock.directory.addUser({ name: 'New colleague' });
    const { token } = mock.directory.invite(user);
    await page.goto(`${mock.url}/#/invitation/${token}`);
    await at('invitation-password').waitFor();
    expect(page.url()).toBe(`${mock.url}/#/`);
    await at('invitation-password').fill('short');
    await at('invitation-submit').click();
    await page.getByText('That is too short').waitFor();
    await at('invitation-password').fill('correct horse battery');
    await page.getByText('Very good length.').waitFor();
    await at('invitation-again').fill('correct horse');
    await at('invitation-submit').click();
    await page.getByText('The two passwords are not the same.').waitFor();
    await at('invitation-again').fill('correct horse battery');
    await at('invitation-submit').click();
    await at('app-debian').waitFor();
    expect(await at('nav-profile').textContent()).toContain('New colleague');
    await page.goBack();
    expect(await page.evaluate(() => window.location.href)).not.toContain(token);
    expect(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).not.toContain(token);
  });

  it('that was used says so', async () => {
    const on = await visit();
    await on.page.goto(`${on.mock.url}/#/invitation/used`);
    await on.at('invitation-password').fill('correct horse battery');
    await on.at('invitation-again').fill('correct horse battery');
    await on.at('invitation-submit').click();
    await on.page.getByText('This invitation was used already').waitFor();
    await on.at('invitation-leave').click();
    await on.at('login-name').waitFor();
  });

  it('is for whom it is for, whoever is logged in', async () => {
    const on = await visit();
    await logIn(on);
    await on.at('app-debian').waitFor();
    const { token } = on.mock.directory.invite(on.mock.directory.addUser({ name: 'Second' }));
    await on.page.evaluate((hash) => (window.location.hash = hash), `#/invitation/${token}`);
    await on.at('invitation-password').fill('correct horse battery');
    await on.at('invitation-again').fill('correct horse battery');
    await on.at('invitation-submit').click();
    await until('it is the other one', async () => (await on.at('nav-profile').textContent())?.includes('Second') ?? false);
  });
});
