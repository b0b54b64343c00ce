import { describe, expect, it } from 'vitest';
import { accessible, connect, fitsSideways, focused, logIn, phase, sent, tabTo, until, visit, type Visit } from './harness';

function only(on: Visit) {
  const [instance] = on.mock.instances.of('user-demo');
  if (!instance) throw new Error('there is no instance');
  return instance;
}

async function state(on: Visit, wanted: string): Promise<void> {
  await on.page.locator(`[data-testid="instance-${only(on).id}"][data-state=${wanted}]`).waitFor();
}

/** Notes which steps are in progress, one after the other. */
async function watchSteps({ page }: Visit): Promise<void> {
  await page.evaluate(() => {
    const seen: string[] = [];
    (window as unknown as { seen: string[] }).seen = seen;
    new MutationObserver(() => {
      const step = document.querySelector('[data-status=active]')?.getAttribute('data-testid');
      if (step && seen.at(-1) !== step) seen.push(step);
    }).observe(document.body, { subtree: true, childList: true, attributes: true });
  });
}

function seenSteps({ page }: Visit): Promise<string[]> {
  return page.evaluate(() => (window as unknown as { seen: string[] }).seen);
}

describe('the whole flow', () => {
  it('from log-in to an empty list again', async () => {
    const on = await visit({ mock: { stepMs: 250 } });
    const { at, page } = on;
    await logIn(on, 'demo', 'wrong');
    await page.getByText('Name or password is wrong.').waitFor();
    await logIn(on);
    await watchSteps(on);
    await at('launch-debian').click();
    await phase(on, 'connected');
    expect(await seenSteps(on)).toEqual(['step-image', 'step-container', 'step-desktop', 'step-connect']);
    expect(page.url()).toContain(`#/open/${only(on).id}`);
    // The picture is what was sent: the top of the wallpaper.
    const pixel = await at('viewer-canvas').locator('canvas').first().evaluate((canvas: HTMLCanvasElement) => [
      ...(canvas.getContext('2d')?.getImageData(2, 2, 1, 1).data ?? []),
    ]);
    expect(pixel).toEqual([24, 40, 162, 255]);

    await at('bar-toggle').click();
    await at('bar-disconnect').click();
    const id = only(on).id;
    await at(`instance-${id}`).locator('img').waitFor();
    expect(only(on).state).toBe('running');
    await until('the tunnel is closed', () => on.mock.desktops.size === 0);

    await at(`open-${id}`).click();
    await phase(on, 'connected');
    await at('bar-toggle').click();
    await at('bar-stop').click();
    await at('confirm-yes').click();
    await page.locator('[data-testid=session-panel][data-kind=off]').waitFor();
    await at('session-wake').click();
    await phase(on, 'connected');

    await page.goBack();
    await at(`suspend-${id}`).click();
    await state(on, 'suspended');
    await at(`resume-${id}`).click();
    await state(on, 'running');
    await at(`suspend-${id}`).click();
    await state(on, 'suspended');
    await at(`open-${id}`).click();
    await page.locator('[data-testid=step-resume]').waitFor();
    await phase(on, 'connected');
    await page.goBack();
    await at(`delete-${id}`).click();
    await at('confirm-no').click();
    await at(`delete-${id}`).click();
    await at('confirm-yes').click();
    await at('instances-empty').waitFor();
    await at('log-out').click();
    await at('login-name').waitFor();
    expect(await page.evaluate(() => localStorage.getItem('daas.thumbnails'))).toBeNull();
  });

  it('survives a reload in the middle, and does not launch again', async () => {
    const on = await visit();
    await connect(on);
    await on.page.reload();
    await phase(on, 'connected');
    expect(on.mock.instances.of('user-demo')).toHaveLength(1);
    await on.page.goto(`${on.mock.url}/#/launch`);
    await on.at('app-debian').waitFor();
    expect(on.mock.instances.of('user-demo')).toHaveLength(1);
  });

  it('does not start what was stopped only because its page is loaded', async () => {
    const on = await visit();
    await connect(on);
    on.mock.instances.set(only(on), 'stopped');
    await on.page.reload();
    await on.page.locator('[data-testid=session-panel][data-kind=off]').waitFor();
    expect(only(on).state).toBe('stopped');
  });
});

describe('keyboard alone', () => {
  it('is enough for everything', async () => {
    const on = await visit();
    const { page, at } = on;
    await at('login-name').waitFor();
    expect(await focused(on)).toBe('login-name');
    await page.keyboard.type('demo');
    await tabTo(on, 'login-password');
    await page.keyboard.type('demo');
    await page.keyboard.press('Enter');
    await at('app-debian').waitFor();
    await tabTo(on, 'launch-debian');
    const ring = await at('launch-debian').evaluate((element) => getComputedStyle(element).boxShadow);
    expect(ring).not.toBe('none');
    await page.keyboard.press('Enter');
    await phase(on, 'connected');
    await until('keys go to the desktop', async () => (await focused(on)) === 'viewer-keys');

    await page.keyboard.type('aB');
    await page.keyboard.press('Tab');
    await until('keys arrived', () => sent(on, 'key').length >= 6);
    const keys = sent(on, 'key').map(([keysym, pressed]) => `${keysym} ${pressed}`);
    expect(keys).toEqual(expect.arrayContaining(['97 1', '97 0', '66 1', '66 0', '65289 1', '65289 0']));

    await page.keyboard.down('Control');
    await page.keyboard.down('Alt');
    await page.keyboard.down('Shift');
    await at('bar').waitFor();
    for (const key of ['Shift', 'Alt', 'Control']) await page.keyboard.up(key);
    await until('the focus is in the bar', async () => (await focused(on)) === 'bar-clipboard');
    const held = new Map<string, string>();
    for (const [keysym = '', pressed = ''] of sent(on, 'key')) held.set(keysym, pressed);
    expect([...held.values()]).toEqual([...held.values()].map(() => '0'));

    const before = sent(on, 'key').length;
    await page.keyboard.type('x');
    const seen = new Set<string | null | undefined>();
    for (let presses = 0; presses < 40; presses++) {
      await page.keyboard.press('Tab');
      seen.add(await focused(on));
      expect(await page.evaluate(() => document.activeElement?.closest('[data-testid=bar]') !== null)).toBe(true);
    }
    expect(seen).toContain('bar-stop');
    expect(seen).toContain('bar-disconnect');
    expect(sent(on, 'key')).toHaveLength(before);

    await tabTo(on, 'keys-ctrl-alt-del');
    await page.keyboard.press('Enter');
    await until('the combination arrived', () => sent(on, 'key').length === before + 6);
    expect(sent(on, 'key').slice(-6).map((key) => key.join(' '))).toEqual([
      '65507 1', '65513 1', '65535 1', '65535 0', '65513 0', '65507 0',
    ]);
    await page.keyboard.press('Escape');
    await until('keys go to the desktop again', async () => (await focused(on)) === 'viewer-keys');
    await page.keyboard.press('Control+Alt+Shift');
    await at('bar').waitFor();
    await tabTo(on, 'bar-disconnect');
    await page.keyboard.press('Enter');
    const id = only(on).id;
    await at(`instance-${id}`).waitFor();
    await tabTo(on, `delete-${id}`);
    await page.keyboard.press('Enter');
    expect(await focused(on)).toBe('confirm-no');
    await page.keyboard.press('Escape');
    await at('confirm').waitFor({ state: 'detached' });
    expect(await focused(on)).toBe(`delete-${id}`);
  });
});

describe('the content security policy', () => {
  it('is in force, and what breaks it is noticed', async () => {
    const on = await visit();
    await on.at('login-name').waitFor();
    await on.page.evaluate(() => {
      document.body.insertAdjacentHTML('beforeend', '<p style="color: red">inline</p>');
      document.body.append(Object.assign(document.createElement('script'), { textContent: 'document.title = "run"' }));
    });
    await until('it is noticed', () => on.wrong.some((what) => what.startsWith('policy: style-src')));
    await until('it is noticed', () => on.wrong.some((what) => what.startsWith('policy: script-src')));
    expect(await on.page.title()).not.toBe('run');
    on.wrong.length = 0;
  });
});

describe('small, dark, slow', () => {
  it('fits a screen of 375 pixels without sideways scroll', async () => {
    const on = await visit({
      context: { viewport: { width: 375, height: 720 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
      mock: { appCount: 10 },
    });
    const { at } = on;
    await at('login-name').waitFor();
    await fitsSideways(on);
    await logIn(on);
    await at('app-debian').waitFor();
    await fitsSideways(on);
    await at('launch-debian').tap();
    await phase(on, 'connected');
    await fitsSideways(on);
    // Too small a desktop could not be used: it is larger than the screen and shown reduced.
    expect(on.mock.desktop.width).toBe(640);
    await at('bar-toggle').tap();
    await fitsSideways(on);
    const bar = await at('bar').boundingBox();
    expect(bar && bar.x + bar.width).toBeLessThanOrEqual(375);
    await at('bar-disconnect').tap();
    await at(`delete-${only(on).id}`).waitFor();
    await fitsSideways(on);
    await at(`delete-${only(on).id}`).tap();
    await at('confirm').waitFor();
    await fitsSideways(on);
  });

  it('is dark where the device is, until it is told otherwise', async () => {
    const on = await visit({ context: { colorScheme: 'dark' } });
    const background = () => on.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await on.at('theme').waitFor();
    const dark = await background();
    await on.at('theme').click();
    const light = await background();
    expect([dark, light]).toEqual(['rgb(14, 17, 25)', 'rgb(245, 246, 251)']);
    await on.page.reload();
    await on.at('theme').waitFor();
    expect(await background()).toBe(light);
    await on.at('theme').click();
    await on.at('theme').click();
    expect(await background()).toBe(dark);
  });

  it.each(['light', 'dark'] as const)('is accessible as far as a program can tell: %s', async (colorScheme) => {
    const on = await visit({ context: { colorScheme, reducedMotion: 'reduce' }, mock: { stepMs: 500, appCount: 10 } });
    const { at, page } = on;
    await logIn(on, 'demo', 'wrong');
    await page.getByText('is wrong').waitFor();
    await accessible(on);
    await logIn(on);
    await at('app-debian').waitFor();
    await accessible(on);
    await at('nav-instances').click();
    await at('instances-empty').waitFor();
    await accessible(on);
    await at('nav-catalogue').click();
    await at('launch-debian').click();
    await page.locator('[data-testid=step-container][data-status=active]').waitFor();
    await accessible(on);
    await phase(on, 'connected');
    await at('bar-toggle').click();
    await accessible(on);
    await at('bar-stop').click();
    await at('confirm').waitFor();
    await accessible(on);
    await at('confirm-no').click();
    on.mock.faults.set('POST /instances/:id/tunnel', { status: 503, times: 99 });
    on.mock.dropTunnels();
    await phase(on, 'waiting');
    await accessible(on);
    await at('session-back').click();
    const { id } = only(on);
    for (const wanted of ['running', 'suspended', 'stopped', 'failed', 'stopping']) {
      on.mock.instances.set(only(on), wanted, null, wanted === 'failed' ? { action: 'start', text: 'No room.' } : null);
      await page.locator(`[data-testid="instance-${id}"][data-state=${wanted}]`).waitFor();
      await accessible(on);
    }
  });
});

describe('lists', () => {
  it('can be searched when they are long', async () => {
    const on = await visit({ mock: { appCount: 10 } });
    await logIn(on);
    await on.at('search').fill('SHELL tools');
    await on.at('app-terminal').waitFor();
    expect(await on.page.locator('[data-testid^=app-]').count()).toBe(1);
    await on.at('search').fill('<b>nothing</b>');
    await on.page.getByText('Nothing found for “<b>nothing</b>”.').waitFor();
  });

  it('are not searched when they are short', async () => {
    const on = await visit({ mock: { appCount: 8 } });
    await logIn(on);
    await on.at('app-debian').waitFor();
    expect(await on.at('search').count()).toBe(0);
  });

  it('change by themselves, with live events and without', async () => {
    const on = await visit();
    await connect(on);
    await on.at('bar-toggle').click();
    await on.at('bar-disconnect').click();
    on.mock.instances.set(only(on), 'suspended');
    await state(on, 'suspended');
    expect(await on.at('announcer').textContent()).toContain('Suspended');
    on.mock.live = false;
    for (const { response } of on.mock.listeners) response.destroy();
    on.mock.instances.set(only(on), 'stopped');
    await on.page.getByText('Changes are not arriving by themselves').waitFor();
    await state(on, 'stopped');
  });

  it('offer to go on', async () => {
    const on = await visit();
    await connect(on);
    await on.at('bar-toggle').click();
    await on.at('bar-disconnect').click();
    await on.at('nav-catalogue').click();
    await on.at(`continue-${only(on).id}`).click();
    await phase(on, 'connected');
  });
});
