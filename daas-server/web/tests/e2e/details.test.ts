/** One instance in all its details. */

import { describe, expect, it } from 'vitest';
import { connect, focused, logIn, tabTo, until, visit, type Visit } from './harness';

function only(on: Visit) {
  const [instance] = on.mock.instances.of('user-demo');
  if (!instance) throw new Error('there is no instance');
  return instance;
}

/** With an instance that runs, at its details by a link that somebody kept. */
async function details(before: (on: Visit) => void = () => undefined): Promise<Visit> {
  const on = await visit();
  before(on);
  const instance = on.mock.instances.launch(on.mock.apps[0]!, 'user-demo');
  await until('it runs', () => instance.state === 'running');
  await on.page.goto(`${on.mock.url}/#/instances/${instance.id}`);
  await logIn(on);
  await state(on, 'running');
  return on;
}

async function state({ page }: Visit, wanted: string): Promise<void> {
  await page.locator(`[data-testid=details][data-state=${wanted}]`).waitFor();
}

/** The states that the timeline shows, from above. */
function shown({ page }: Visit): Promise<string[]> {
  return page.locator('[data-testid=timeline] li').evaluateAll((steps) => steps.map((step) => step.dataset['testid'] ?? ''));
}

async function showsSteps(on: Visit, steps: string[]): Promise<void> {
  const wanted = steps.map((step) => `step-${step}`).join();
  await until(wanted, async () => (await shown(on)).join() === wanted);
}

describe('the details of a desktop', () => {
  it('are behind its card, and tell what happened', async () => {
    const on = await visit();
    await connect(on);
    await on.page.goto(`${on.mock.url}/#/instances`);
    const { id } = only(on);
    await on.at(`details-${id}`).click();
    await state(on, 'running');
    expect(on.page.url()).toContain(`#/instances/${id}`);
    expect(await on.at('nav-instances').getAttribute('aria-current')).toBe('page');
    await showsSteps(on, ['running', 'starting', 'requested']);
    await on.at('details-suspend').click();
    await state(on, 'suspended');
    await showsSteps(on, ['suspended', 'suspending', 'running', 'starting', 'requested']);
    await on.at('details-resume').click();
    await state(on, 'running');
    await on.at('details-stop').click();
    await on.at('confirm-no').click();
    expect(only(on).state).toBe('running');
    await on.at('details-stop').click();
    await on.at('confirm-yes').click();
    await state(on, 'stopped');
    await on.at('details-start').click();
    await state(on, 'running');
    await on.at('details-open').click();
    await on.page.locator('[data-testid=reconnect-state][data-phase=connected]').waitFor();
    await on.page.goBack();
    await on.at('details-delete').click();
    await on.at('confirm-yes').click();
    await on.at('details-gone').waitFor();
    await on.at('details-back').click();
    await on.at('instances-empty').waitFor();
  });

  it('say in plain words what went wrong', async () => {
    const on = await details();
    only(on).failure = null;
    on.mock.instances.fail(only(on));
    await state(on, 'failed');
    await on.at('step-failed').getByText('The image could not be fetched.').waitFor();
  });

  it('name the host where that is told, and say when it is silent', async () => {
    const on = await details();
    expect(await on.at('details-host').count()).toBe(0);
    Object.assign(only(on), { host: 'lab-1', stale: true });
    await on.page.reload();
    await on.at('details-host').getByText('lab-1').waitFor();
    await on.at('details-stale').waitFor();
  });

  it('of what is not there say so', async () => {
    const on = await visit();
    await on.page.goto(`${on.mock.url}/#/instances/none`);
    await logIn(on);
    await on.at('details-gone').waitFor();
  });
});

describe('snapshots', () => {
  it('are taken, gone back to and removed', async () => {
    const on = await details();
    const { at } = on;
    await at('snapshots-empty').waitFor();
    expect(await at('snapshot-name').inputValue()).toMatch(/^at-\d{4}-\d\d-\d\d-\d{4}$/);
    await at('snapshot-name').fill('1 wrong');
    await at('snapshot-submit').click();
    await on.page.getByText('Use 2 to 40 letters').waitFor();
    expect(await focused(on)).toBe('snapshot-name');
    await at('snapshot-name').fill('before-update');
    await at('snapshot-submit').click();
    await at('snapshot-before-update').waitFor();
    await at('snapshot-name').fill('before-update');
    await at('snapshot-submit').click();
    await on.page.getByText('There is one of this name.').waitFor();
    // What runs does not go back.
    expect(await at('go-back-before-update').isDisabled()).toBe(true);
    await at('stop-first').waitFor();
    await at('details-stop').click();
    await at('confirm-yes').click();
    await state(on, 'stopped');
    await at('go-back-before-update').click();
    await at('confirm').getByText('is lost').waitFor();
    await at('confirm-no').click();
    expect(on.mock.log.some((line) => line.endsWith('/rollback'))).toBe(false);
    await at('go-back-before-update').click();
    await at('confirm-yes').click();
    await on.page.getByText('The desktop is as it was at “before-update”.').waitFor();
    expect(on.mock.log.filter((line) => line.endsWith('/snapshots/before-update/rollback'))).toHaveLength(1);
    await at('remove-before-update').click();
    await at('confirm-yes').click();
    await at('snapshots-empty').waitFor();
    expect(on.mock.instances.snapshots.get(only(on).id)).toEqual([]);
  });

  it('that are refused say why', async () => {
    const on = await details();
    on.mock.faults.set('POST /instances/:id/snapshots', { status: 409, problem: { detail: 'A desktop has at most 16 snapshots.' } });
    await on.at('snapshot-submit').click();
    await on.at('snapshot-problem').getByText('at most 16').waitFor();
    expect(await on.at('snapshots-empty').count()).toBe(1);
  });

  it('work by the keyboard alone', async () => {
    const on = await details();
    await on.at('snapshots-empty').waitFor();
    await tabTo(on, 'snapshot-name');
    await on.page.keyboard.press('Enter');
    await until('one is there', () => on.mock.instances.snapshots.get(only(on).id)?.length === 1);
    await on.page.locator('[data-testid^=remove-]').waitFor();
    const testId = await on.page.locator('[data-testid^=remove-]').getAttribute('data-testid');
    await tabTo(on, testId ?? '');
    await on.page.keyboard.press('Enter');
    await tabTo(on, 'confirm-yes');
    await on.page.keyboard.press('Enter');
    await on.at('snapshots-empty').waitFor();
  });
});

describe('what a host cannot do', () => {
  it('is not offered anywhere', async () => {
    const on = await details(({ mock }) => {
      mock.instances.abilities = { suspend: false, snapshot: false };
    });
    await on.at('timeline').waitFor();
    await on.at('details-stop').waitFor();
    for (const none of ['details-suspend', 'snapshots', 'snapshot-name']) expect(await on.at(none).count(), none).toBe(0);
    expect(on.mock.log.some((line) => line.endsWith('/snapshots'))).toBe(false);
    await on.at('details-back').click();
    const { id } = only(on);
    await on.at(`stop-${id}`).waitFor();
    expect(await on.at(`suspend-${id}`).count()).toBe(0);
  });
});
