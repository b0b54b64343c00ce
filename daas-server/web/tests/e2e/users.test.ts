import { describe, expect, it } from 'vitest';
import { seed } from '../../mock/seed.mjs';
import { administer, focused, logIn, tabTo, until, visit, type Visit } from './harness';

async function toUser(id: string): Promise<Visit> {
  const on = await administer('users');
  await on.at(`user-open-${id}`).click();
  await on.at('user-title').waitFor();
  return on;
}

describe('users', () => {
  it('are listed in parts and found by name', async () => {
    const { at, page, mock } = await administer('users');
    await at('users-user-demo').waitFor();
    expect(mock.log.filter((line) => line === 'GET /users')).toHaveLength(1);
    expect(await page.locator('tbody tr').count()).toBe(50);
    await at('users-more').click();
    await at('users-user-60').waitFor();
    expect(await at('users-more').count()).toBe(0);
    await at('users-search').fill('GRACE');
    await at('users-user-demo').waitFor({ state: 'detached' });
    expect(await page.locator('tbody tr').count()).toBe(1);
    await at('users-search').fill('nobody at all');
    await at('users-empty').waitFor();
  });

  it('are invited by a link that is shown once and works', async () => {
    const on = await administer('users');
    const { at, page, mock } = on;
    await at('user-new').click();
    await at('user-name').fill('DEMO');
    await at('user-create-submit').click();
    await page.getByText('This name is taken.').waitFor();
    expect(await focused(on)).toBe('user-name');
    await at('user-name').fill('Linus');
    await at('user-role').selectOption('operator');
    await at('user-groups-search').fill('des');
    await at('user-groups-add-group-design').click();
    await at('user-create-submit').click();
    const link = await at('invitation-link').inputValue();
    expect(link).toMatch(new RegExp(`^${mock.url}/#/invitation/`));
    await at('invitation-done').click();
    await at('users-search').fill('linus');
    await page.getByText('Invited').waitFor();
    expect(mock.directory.byName('Linus')).toMatchObject({ role: 'operator', groups: new Set(['group-design']) });
    await page.goto(link);
    await at('invitation-password').fill('correct horse battery');
    await at('invitation-again').fill('correct horse battery');
    await at('invitation-submit').click();
    await until('it is Linus', async () => (await at('nav-profile').textContent())?.includes('Linus') ?? false);
  });

  it('are created with a password', async () => {
    const { at, page, mock } = await administer('users');
    await at('user-new').click();
    await at('user-name').fill('Ken');
    await at('user-by-password').check();
    await at('user-password').fill('correct horse battery');
    await at('user-again').fill('correct horse battery');
    await at('user-create-submit').click();
    await page.getByText('Ken can log in now.').waitFor();
    expect(mock.directory.byName('Ken')?.password).toBe('correct horse battery');
  });

  it('are changed, and only what differs is sent', async () => {
    const on = await toUser('user-demo');
    const { at, page, mock } = on;
    const bodies: unknown[] = [];
    page.on('request', (request) => request.method() === 'PATCH' && bodies.push(request.postDataJSON()));
    await at('user-role').selectOption('operator');
    await at('user-groups-remove-group-design').click();
    await at('account-submit').click();
    await page.getByText('Saved.').waitFor();
    expect(bodies).toEqual([{ role: 'operator', group_ids: [] }]);
    await at('user-disabled').check();
    await at('account-submit').click();
    await page.locator('.mark.warn').waitFor();
    expect(mock.directory.user('user-demo')).toMatchObject({ role: 'operator', disabled: true });
  });

  it('get a new password, lose the second step and their sessions', async () => {
    const on = await administer('users');
    const { at, page, mock } = on;
    const demo = mock.directory.user('user-demo');
    demo.totp = 'A'.repeat(32);
    const silent = { setHeader: () => undefined } as never;
    mock.beginSession(demo, silent, { address: '', user_agent: '' });
    await at('user-open-user-demo').click();
    await at('user-end-sessions').click();
    await at('confirm-yes').click();
    await page.getByText('They are logged out everywhere.').waitFor();
    expect(mock.sessions.size).toBe(1);
    await at('user-remove-totp').click();
    await at('confirm-yes').click();
    await at('user-remove-totp').waitFor({ state: 'detached' });
    expect(demo.totp).toBeNull();
    await at('user-set-password').click();
    await at('user-password').fill('correct horse battery');
    await at('user-again').fill('correct horse battery');
    await at('user-password-form-submit').click();
    await page.getByText('The password is set.').waitFor();
    expect(demo.password).toBe('correct horse battery');
    await at('user-invite').click();
    expect(await at('invitation-link').inputValue()).toContain('/#/invitation/');
  });

  it('get a quota and rules', async () => {
    const { at, page, mock } = await toUser('user-demo');
    await at('quota-memory_mib').fill('1,5');
    await at('quota-cpu_millis').fill('many');
    await at('quota-form-submit').click();
    await page.getByText('Enter a number, or nothing for no limit.').waitFor();
    await at('quota-cpu_millis').fill('0.5');
    await at('quota-form-submit').click();
    await page.getByText('The quota is saved.').waitFor();
    const demo = mock.directory.user('user-demo');
    expect(demo.quota).toMatchObject({ instances: null, cpu_millis: 500, memory_mib: 1536 });
    const app = mock.apps[1]!;
    await at('rule-add').click();
    await at('rule-0-app').selectOption(app.id);
    await at('rule-0-effect').selectOption('deny');
    await at('rule-add').click();
    await at('rule-1-permission').selectOption('audit_read');
    await at('rules-submit').click();
    await page.getByText('The rules are saved.').waitFor();
    expect(demo.rules).toEqual([
      { permission: 'apps_launch', app_id: app.id, effect: 'deny' },
      { permission: 'audit_read', app_id: null, effect: 'allow' },
    ]);
    await at('rule-0-remove').click();
    await at('rules-submit').click();
    await until('one is left', () => demo.rules.length === 1);
  });

  it('are deleted after the question what becomes of their desktops', async () => {
    const on = await administer('users');
    const { at, page, mock } = on;
    mock.instances.launch(mock.apps[0]!, 'user-demo');
    await at('user-open-user-demo').click();
    await at('user-delete').click();
    await at('user-delete-submit').click();
    await page.getByText('Choose one.').waitFor();
    await at('user-fate-keep').check();
    await at('user-delete-submit').click();
    await page.getByText('demo is disabled. The desktops are kept.').waitFor();
    expect(mock.directory.user('user-demo').disabled).toBe(true);
    await expect.poll(() => at('user-disabled').isChecked()).toBe(true);
    await at('user-delete').click();
    await at('user-fate-delete').check();
    await at('user-delete-submit').click();
    await page.getByText('demo is deleted.').waitFor();
    await at('users-user-ada').waitFor();
    expect(mock.directory.users.has('user-demo')).toBe(false);
    expect(mock.instances.of('user-demo')).toEqual([]);
  });

  it('that got desktops meanwhile are not deleted with them unasked', async () => {
    const { at, page, mock } = await toUser('user-ada');
    mock.instances.launch(mock.apps[0]!, 'user-ada');
    await at('user-delete').click();
    await at('user-delete-submit').click();
    await page.getByText('They still have desktops.').waitFor();
    expect(mock.directory.users.has('user-ada')).toBe(true);
  });

  it('cannot be oneself, nor the last administrator', async () => {
    const { at, page } = await toUser('user-admin');
    await at('user-delete').click();
    await at('user-delete-submit').click();
    await page.getByText('You cannot delete your own account.').waitFor();
    await at('user-delete-cancel').click();
    await at('user-role').selectOption('user');
    await at('account-submit').click();
    await page.getByText('This is the last administrator who can log in.').waitFor();
  });
});

describe('keyboard alone', () => {
  it('is enough to create a user', async () => {
    const on = await visit();
    const { at, page, mock } = on;
    seed(mock);
    await logIn(on, 'admin', 'administrator');
    await at('app-debian').waitFor();
    await tabTo(on, 'nav-admin');
    await page.keyboard.press('Enter');
    await at('users').waitFor();
    await tabTo(on, 'user-new');
    await page.keyboard.press('Enter');
    await at('user-dialog').waitFor();
    expect(await focused(on)).toBe('user-name');
    await page.keyboard.type('Margaret');
    await tabTo(on, 'user-role');
    await page.keyboard.press('ArrowDown');
    await tabTo(on, 'user-groups-search');
    await page.keyboard.type('support');
    await at('user-groups-add-group-support').waitFor();
    await tabTo(on, 'user-groups-add-group-support');
    await page.keyboard.press('Enter');
    expect(await focused(on)).toBe('user-groups-search');
    await tabTo(on, 'user-by-invitation');
    await page.keyboard.press('ArrowDown');
    await tabTo(on, 'user-password');
    await page.keyboard.type('correct horse battery');
    await tabTo(on, 'user-again');
    await page.keyboard.type('correct horse battery');
    await page.keyboard.press('Enter');
    await page.getByText('Margaret can log in now.').waitFor();
    expect(await focused(on)).toBe('user-new');
    const made = mock.directory.byName('Margaret');
    expect(made).toMatchObject({ role: 'operator', groups: new Set(['group-support']) });
    await tabTo(on, 'users-search');
    await page.keyboard.type('Margaret');
    await at('users-user-demo').waitFor({ state: 'detached' });
    await tabTo(on, `user-open-${made?.id}`);
    await page.keyboard.press('Enter');
    await at('user-title').waitFor();
    await tabTo(on, 'user-delete');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Escape');
    await at('user-delete-dialog').waitFor({ state: 'detached' });
    expect(await focused(on)).toBe('user-delete');
  });
});
