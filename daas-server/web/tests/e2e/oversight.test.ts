import { describe, expect, it } from 'vitest';
import { seed } from '../../mock/seed.mjs';
import { administer, focused, logIn, until, visit } from './harness';

describe('groups', () => {
  it('are created, filled, limited and deleted', async () => {
    const on = await administer('groups');
    const { at, page, mock } = on;
    await at('group-new').click();
    await at('group-create-submit').click();
    await page.getByText('Enter a name.').waitFor();
    await at('group-name').fill('Research');
    await at('group-external').fill('cn=research,dc=example\n\n cn=labs \ncn=labs');
    await at('group-create-submit').click();
    await at('group-title').getByText('Research').waitFor();
    const group = [...mock.directory.groups.values()].find(({ name }) => name === 'Research')!;
    expect(group.external).toEqual(['cn=research,dc=example', 'cn=labs']);
    await at('members-search').fill('student-1');
    await at('members-add-user-10').click();
    expect(await focused(on)).toBe('members-search');
    await at('members-search').fill('student-60');
    await at('members-add-user-60').waitFor();
    await page.keyboard.press('Enter');
    await at('members-submit').click();
    await page.getByText('The members are saved.').waitFor();
    expect(mock.directory.membersOf(group.id).map(({ id }) => id)).toEqual(['user-10', 'user-60']);
    await at('quota-instances').fill('2');
    await at('quota-form-submit').click();
    await page.getByText('The quota is saved.').waitFor();
    expect(group.quota.instances).toBe(2);
    await at('group-description').fill('Test tubes');
    await at('group-submit').click();
    await until('it is saved', () => group.description === 'Test tubes');
    await at('group-delete').click();
    await at('confirm-yes').click();
    await page.getByText('The group Research is deleted.').waitFor();
    expect(mock.directory.groups.has(group.id)).toBe(false);
    expect(mock.directory.users.has('user-10')).toBe(true);
  });
});

describe('applications', () => {
  it('get a quota for each person', async () => {
    const { at, page, mock } = await administer('apps');
    const app = mock.apps[2]!;
    await at(`app-quota-${app.id}`).click();
    await at('quota-instances').fill('1');
    await at('quota-disk_mib').fill('2.5');
    await at('quota-form-submit').click();
    await at(`apps-${app.id}`).getByText('1 desktop, 2.5 GiB disk').waitFor();
    expect(mock.directory.appQuotas.get(app.id)).toMatchObject({ instances: 1, disk_mib: 2560 });
    expect(await page.getByRole('dialog').count()).toBe(0);
  });
});

describe('live sessions', () => {
  it('are seen and ended by operators, who see nothing else of the administration but hosts', async () => {
    const on = await visit();
    const { at, page, mock } = on;
    seed(mock);
    await logIn(on, 'olga', 'operator');
    await at('nav-admin').click();
    await at('sessions').waitFor();
    expect(await page.locator('[data-testid^=admin-]').count()).toBe(2);
    const [id] = [...mock.tunnels.keys()];
    await at(`session-end-${id}`).click();
    await at('confirm-yes').click();
    await at('sessions-empty').waitFor();
    expect(mock.tunnels.size).toBe(0);
  });
});

describe('hosts', () => {
  it('are seen with what ails them, emptied and taken back', async () => {
    const on = await visit();
    const { at, page, mock } = on;
    seed(mock);
    await logIn(on, 'olga', 'operator');
    await page.goto(`${mock.url}/#/admin/hosts`);
    await at('hosts').waitFor();
    const states = await at('hosts').locator('[data-state]').evaluateAll((all) => all.map((host) => host.getAttribute('data-state')));
    expect(states).toEqual(['fine', 'fine', 'unreachable', 'fine', 'stale']);
    await at('fault-lab-2').getByText('connect timed out').waitFor();
    await at('load-docker').getByText('24 of 64').waitFor();
    await at('drain-docker').click();
    await at('confirm-yes').click();
    await at('drained-docker').waitFor();
    expect(mock.hosts[0]!.drained).toBe(true);
    await at('take-back-docker').click();
    await at('drain-docker').waitFor();
    expect(mock.hosts[0]!.drained).toBe(false);
  });
});

describe('the audit log', () => {
  it('is filtered, shows what changed, and is exported', async () => {
    const on = await administer('audit');
    const { at, page } = on;
    await at('audit').waitFor();
    await at('audit-action').fill('user.change');
    await page.keyboard.press('Enter');
    await until('it is filtered', async () => (await page.locator('tbody tr').count()) === 1);
    await page.locator('[data-testid^=audit-details-]').click();
    const lines = await page.locator('[data-change]').evaluateAll((all) => all.map((line) => line.getAttribute('data-change')));
    expect(lines).toEqual(['changed', 'changed', 'changed', 'removed']);
    await at('audit-diff').getByText('operator').waitFor();
    await page.keyboard.press('Escape');
    const [download] = await Promise.all([page.waitForEvent('download'), at('audit-csv').click()]);
    expect(new URL(download.url()).search).toBe('?format=csv&action=user.change');
    await at('audit-from').fill('2020-01-01T00:00');
    await at('audit-to').fill('2020-01-02T00:00');
    await at('audit-show').click();
    await at('audit-empty').waitFor();
    await at('audit-clear').click();
    await at('audit').waitFor();
  });
});

describe('without permission', () => {
  it('there is nothing to see, and nothing is asked for', async () => {
    const on = await visit();
    const { at, page, mock } = on;
    await logIn(on);
    await at('app-debian').waitFor();
    expect(await at('nav-admin').count()).toBe(0);
    for (const part of ['users', 'users/user-ada', 'groups', 'apps', 'sessions', 'hosts', 'audit']) {
      await page.goto(`${mock.url}/#/admin/${part}`);
      await page.getByText('You are not allowed to see this.').waitFor();
      await page.goto(`${mock.url}/#/`);
      await at('app-debian').waitFor();
    }
    expect(mock.log.filter((line) => /users|groups|audit|hosts|GET \/sessions/.test(line))).toEqual([]);
  });

  it('that was taken away meanwhile, the refusal is said', async () => {
    const on = await administer('users');
    const { at, page, mock } = on;
    await at('users').waitFor();
    mock.directory.addUser({ name: 'Other admin', role: 'admin', password: 'x' });
    mock.directory.user('user-admin').role = 'user';
    await at('user-new').click();
    await at('user-name').fill('Nobody');
    await at('user-create-submit').click();
    await page.getByText('You are not allowed to').first().waitFor();
    expect(mock.directory.byName('Nobody')).toBeNull();
  });
});
