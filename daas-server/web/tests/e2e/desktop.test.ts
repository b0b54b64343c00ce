import { describe, expect, it } from 'vitest';
import { SAMPLE } from '../unit/random';
import { connect, logIn, phase, sent, until, visit, type Visit } from './harness';

function tickets(on: Visit): number {
  return on.mock.log.filter((line) => line.endsWith('/tunnel') && line.startsWith('POST')).length;
}

async function lastSize(on: Visit): Promise<string[] | undefined> {
  return sent(on, 'size').at(-1);
}

describe('clipboard', () => {
  it('carries all of Unicode both ways', async () => {
    const on = await visit();
    await connect(on);
    await on.at('bar-toggle').click();
    await on.at('bar-clipboard').fill(SAMPLE);
    await until('it is there', () => on.mock.desktop.clipboard === SAMPLE);
    await on.page.getByText('On the desktop’s clipboard').waitFor();
    for (const cut of [1, 2, 3, 5, 6048]) {
      const text = `${SAMPLE} ${cut}`;
      on.mock.desktop.copy(text, cut);
      await until('it is here', async () => (await on.at('bar-clipboard').inputValue()) === text);
    }
  });

  it('carries much text in blobs of the right size, and refuses too much', async () => {
    const on = await visit();
    await connect(on);
    await on.at('bar-toggle').click();
    const text = SAMPLE.repeat(6000);
    await on.at('bar-clipboard').fill(text);
    await until('it is there', () => on.mock.desktop.clipboard === text);
    const sizes = on.mock.desktop.clipboardBlobs;
    expect(sizes.length).toBeGreaterThan(30);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(6048);
    await on.at('bar-clipboard').fill(text + text);
    await on.page.getByText('Too long').waitFor();
    expect(on.mock.desktop.clipboard).toBe(text);
  });

  it('is sent at once when the bar closes', async () => {
    const on = await visit();
    await connect(on);
    await on.at('bar-toggle').click();
    await on.at('bar-clipboard').fill('quick');
    await on.at('bar-close').click();
    await until('it is there', () => on.mock.desktop.clipboard === 'quick');
  });

  it('is shared by itself where the browser allows it', async () => {
    const on = await visit({ permissions: ['clipboard-read', 'clipboard-write'] });
    await connect(on);
    on.mock.desktop.copy(SAMPLE, 4);
    await until('it is on the device', async () => (await on.page.evaluate(() => navigator.clipboard.readText())) === SAMPLE);
    await on.page.evaluate(() => navigator.clipboard.writeText('from the device 🚀'));
    await on.page.evaluate(() => window.dispatchEvent(new Event('focus')));
    await until('it is on the desktop', () => on.mock.desktop.clipboard === 'from the device 🚀');
    await on.at('bar-toggle').click();
    expect(await on.at('clipboard-sync').isChecked()).toBe(true);
    await on.at('clipboard-sync').click();
    await on.page.evaluate(() => navigator.clipboard.writeText('secret'));
    await on.page.evaluate(() => window.dispatchEvent(new Event('focus')));
    await on.at('bar-close').click();
    await on.page.waitForTimeout(300);
    expect(on.mock.desktop.clipboard).toBe('from the device 🚀');
  });
});

describe('keys and text', () => {
  it('are typed once for each character, whatever wrote them', async () => {
    const on = await visit();
    await connect(on);
    await on.page.keyboard.insertText('é世🚀');
    const cdp = await on.page.context().newCDPSession(on.page);
    await cdp.send('Input.imeSetComposition', { text: 'に', selectionStart: 1, selectionEnd: 1 });
    await cdp.send('Input.imeSetComposition', { text: '日', selectionStart: 1, selectionEnd: 1 });
    await cdp.send('Input.insertText', { text: '日本' });
    await until('they arrived', () => sent(on, 'key').length >= 10);
    await on.page.waitForTimeout(200);
    const pressed = sent(on, 'key').filter(([, down]) => down === '1').map(([keysym]) => Number(keysym));
    const unicode = (character: string) => 0x01000000 | (character.codePointAt(0) ?? 0);
    expect(pressed).toEqual([0xe9, unicode('世'), unicode('🚀'), unicode('日'), unicode('本')]);
  });

  it('can be typed from a text field', async () => {
    const on = await visit();
    await connect(on);
    await on.at('bar-toggle').click();
    await on.at('bar-text').fill('hi ü');
    await on.at('bar-text-send').click();
    await until('they arrived', () => sent(on, 'key').length === 8);
    expect(sent(on, 'key').filter(([, down]) => down === '1').map(([keysym]) => keysym)).toEqual(['104', '105', '32', '252']);
  });

  it('are released when the window is left', async () => {
    const on = await visit();
    await connect(on);
    await on.page.keyboard.down('Control');
    await on.page.keyboard.down('c');
    await until('they are down', () => sent(on, 'key').length >= 2);
    await on.page.evaluate(() => window.dispatchEvent(new Event('blur')));
    await until('they are up', () => {
      const up = sent(on, 'key').filter(([, down]) => down === '0').map(([keysym]) => keysym);
      return up.includes('65507') && up.includes('99');
    });
  });
});

describe('keys that are held', () => {
  it('while the connection breaks do not go on afterwards', async () => {
    const on = await visit();
    await connect(on);
    await on.page.keyboard.down('a');
    await until('it is down', () => sent(on, 'key').length >= 1);
    on.mock.dropTunnels();
    await phase(on, 'waiting');
    await on.page.keyboard.up('a');
    await phase(on, 'connected');
    await on.page.waitForTimeout(900);
    expect(sent(on, 'key')).toEqual([]);
    await on.page.keyboard.press('a');
    await until('it is typed', () => sent(on, 'key').length === 2);
  });

  it('from the row of special keys last until the next key', async () => {
    const on = await visit({ context: { hasTouch: true } });
    await connect(on);
    await on.at('bar-toggle').click();
    await on.at('bar-keyboard').click();
    await on.page.getByRole('button', { name: 'Ctrl', exact: true }).click();
    await on.page.keyboard.press('c');
    await on.page.getByRole('button', { name: 'Esc', exact: true }).click();
    await until('they arrived', () => sent(on, 'key').length === 6);
    expect(sent(on, 'key').map((key) => key.join(' '))).toEqual([
      '65507 1', '99 1', '99 0', '65507 0', '65307 1', '65307 0',
    ]);
  });

  it('stay with the desktop when somebody clicks beside it', async () => {
    const on = await visit();
    await connect(on);
    on.mock.desktop.height = 400;
    on.mock.desktop.draw();
    on.mock.desktop.sync();
    await until('there is something beside it', async () => {
      const box = await on.at('viewer-canvas').locator('.picture').boundingBox();
      return box !== null && box.y > 100;
    });
    await on.page.mouse.click(600, 50);
    await on.page.keyboard.press('a');
    await until('it is typed', () => sent(on, 'key').length === 2);
  });
});

describe('pointer', () => {
  it('points at what is seen, at any scale', async () => {
    const on = await visit();
    await connect(on);
    const { page } = on;
    await page.mouse.move(400, 300);
    await page.mouse.down();
    await page.mouse.up();
    await page.mouse.click(410, 310, { button: 'middle' });
    await page.mouse.click(420, 320, { button: 'right' });
    await page.mouse.wheel(0, 120);
    await page.mouse.wheel(0, -120);
    await until('it arrived', () => sent(on, 'mouse').some(([, , mask]) => mask === '8'));
    const clicks = sent(on, 'mouse').map((event) => event.join(' '));
    for (const click of ['400 300 1', '400 300 0', '410 310 2', '420 320 4', '420 320 16', '420 320 8']) {
      expect(clicks).toContain(click);
    }
    // A desktop that does not follow the window is shown in its middle, reduced.
    on.mock.desktop.width = 2560;
    on.mock.desktop.height = 800;
    on.mock.desktop.draw();
    on.mock.desktop.sync();
    await until('it is reduced', async () => {
      const box = await on.at('viewer-canvas').locator('canvas').first().boundingBox();
      return box?.height === 416 || box?.height === 400;
    });
    await page.mouse.click(640, 400);
    await until('it arrived', () => sent(on, 'mouse').some((event) => event.join(' ') === '1280 400 1'));
    await on.at('bar-toggle').click();
    await on.at('scaling-original').check();
    await on.at('bar-close').click();
    await on.at('viewer-canvas').evaluate((element) => element.scrollTo(500, 0));
    await page.mouse.click(640, 400);
    await until('it arrived', () => sent(on, 'mouse').some((event) => event.join(' ') === '1140 400 1'));
  });

  it('has the shape that the desktop gives it', async () => {
    const on = await visit();
    await connect(on);
    const cursor = () =>
      on.at('viewer-canvas').evaluate((element) => [...element.querySelectorAll('*')].map((node) => getComputedStyle(node).cursor).find((value) => value.startsWith('url')));
    await until('it is set', async () => (await cursor())?.startsWith('url("data:image/png') === true);
  });

  it('is a finger: a tap clicks, a touchpad moves', async () => {
    const on = await visit({ context: { hasTouch: true } });
    await connect(on);
    await on.page.touchscreen.tap(500, 350);
    await until('it clicked', () => sent(on, 'mouse').some((event) => event.join(' ') === '500 350 1'));
    await until('and let go', () => sent(on, 'mouse').at(-1)?.join(' ') === '500 350 0');
    await on.at('bar-toggle').tap();
    await on.at('touchpad').check();
    await on.at('bar-close').tap();
    const before = sent(on, 'mouse').length;
    await on.page.touchscreen.tap(900, 600);
    await until('it clicked', () => sent(on, 'mouse').slice(before).some(([, , mask]) => mask === '1'));
    // Where the pointer is, not where the finger is.
    expect(sent(on, 'mouse').slice(before).every(([x]) => x !== '900')).toBe(true);
  });
});

describe('size', () => {
  it('follows the window when it holds still', async () => {
    const on = await visit();
    await connect(on);
    expect([on.mock.desktop.width, on.mock.desktop.height, on.mock.desktop.dpi]).toEqual([1280, 800, 96]);
    for (const width of [1000, 1010, 1020, 1030]) await on.page.setViewportSize({ width, height: 700 });
    await until('it was asked for', async () => (await lastSize(on))?.join() === '1030,700');
    expect(sent(on, 'size').length).toBeLessThanOrEqual(2);
  });

  it('is readable on a fine screen, and uses every pixel where that is wanted', async () => {
    const on = await visit({ context: { deviceScaleFactor: 2 } });
    await connect(on);
    expect([on.mock.desktop.width, on.mock.desktop.dpi]).toEqual([1280, 96]);
    await on.at('bar-toggle').click();
    await on.at('every-pixel').check();
    await until('it was asked for', async () => (await lastSize(on))?.join() === '2560,1600');
  });
});

describe('the connection', () => {
  it('comes back by itself after a break, with a new ticket', async () => {
    const on = await visit();
    await connect(on);
    expect(tickets(on)).toBe(1);
    on.mock.faults.set('POST /instances/:id/tunnel', { status: 503, problem: { detail: 'No room just now.' } });
    on.mock.dropTunnels();
    await phase(on, 'waiting');
    await on.page.getByText('Connection lost').waitFor();
    await on.page.getByText('No room just now.').waitFor();
    await phase(on, 'connected');
    expect(tickets(on)).toBe(3);
    await on.page.keyboard.type('a');
    await until('keys arrive', () => sent(on, 'key').length === 2);
  });

  it('is tried at once when asked', async () => {
    const on = await visit();
    await connect(on);
    on.mock.faults.set('POST /instances/:id/tunnel', { status: 429, headers: { 'Retry-After': '60' } });
    on.mock.dropTunnels();
    await on.page.getByText(/Trying again in (60|59|58) s/).waitFor();
    await on.at('reconnect-now').click();
    await phase(on, 'connected');
  });

  it('is given up after many attempts, with the reason and a way on', async () => {
    const on = await visit();
    await connect(on);
    on.mock.faults.set('POST /instances/:id/tunnel', { status: 0, times: 100 });
    on.mock.dropTunnels();
    await until('it is given up', async () => {
      // An attempt may begin by itself just when the button is pressed.
      await on.at('reconnect-now').click({ timeout: 500 }).catch(() => undefined);
      return (await on.at('reconnect-again').count()) > 0;
    });
    await on.at('reconnect-again').waitFor();
    await on.page.getByText('It was tried several times').waitFor();
    expect(await on.at('reconnect-why').textContent()).toContain('was lost');
    on.mock.faults.clear();
    await on.at('reconnect-again').click();
    await phase(on, 'connected');
  });

  it.each([
    [521, 'opened in another window'],
    [522, 'nothing was done'],
    [768, 'did not understand'],
  ])('that the server ended with %s is not opened again by itself', async (code, words) => {
    const on = await visit();
    await connect(on);
    on.mock.desktop.end(code);
    await on.at('reconnect-again').waitFor();
    expect(await on.at('reconnect-why').textContent()).toContain(words);
    await on.page.waitForTimeout(1500);
    expect(tickets(on)).toBe(1);
    await on.at('reconnect-again').click();
    await phase(on, 'connected');
  });

  it('to what was stopped elsewhere is not opened again', async () => {
    const on = await visit();
    await connect(on);
    const [instance] = on.mock.instances.of('user-demo');
    if (instance) on.mock.instances.act(instance, 'stop');
    await on.page.locator('[data-testid=session-panel][data-kind=off]').waitFor();
    await on.page.waitForTimeout(1500);
    expect(tickets(on)).toBe(1);
  });

  it('to what was deleted elsewhere says so', async () => {
    const on = await visit();
    await connect(on);
    const [instance] = on.mock.instances.of('user-demo');
    if (instance) on.mock.instances.act(instance, 'delete');
    await on.page.getByText('This desktop is gone').waitFor();
    await on.page.goto(`${on.mock.url}/#/open/no-such-id`);
    await on.page.getByText('This desktop is gone').waitFor();
  });

  it('says how good it is', async () => {
    const on = await visit();
    await connect(on);
    await on.at('bar-toggle').click();
    await on.page.locator('[data-testid=quality][data-grade=good]').waitFor();
    on.mock.desktop.silent = true;
    await on.page.locator('[data-testid=quality][data-grade=unstable]').waitFor();
    on.mock.desktop.silent = false;
    on.mock.desktop.send('nop');
    await on.page.locator('[data-testid=quality][data-grade=good]').waitFor();
  });
});

describe('a picture that is broken', () => {
  it('costs itself only', async () => {
    const on = await visit();
    await connect(on);
    const before = on.mock.desktop.syncs;
    on.mock.desktop.brokenImage();
    on.mock.desktop.fill(0, 0, 10, 10, [1, 2, 3]);
    on.mock.desktop.sync();
    await until('frames go on', () => on.mock.desktop.syncs >= before + 2);
    const pixel = await on.at('viewer-canvas').locator('canvas').first().evaluate((canvas: HTMLCanvasElement) => [
      ...(canvas.getContext('2d')?.getImageData(2, 2, 1, 1).data ?? []),
    ]);
    expect(pixel).toEqual([1, 2, 3, 255]);
  });
});

describe('log-in', () => {
  it('is refused for a while after too many tries', async () => {
    const on = await visit({ mock: { retryAfterS: 2 } });
    for (let tries = 0; tries < 5; tries++) {
      await logIn(on, 'demo', 'wrong');
      await on.page.locator('[data-testid=login-submit]:enabled').waitFor();
    }
    await logIn(on);
    await on.page.getByText(/Too many attempts. Try again in [12] s/).waitFor();
    expect(await on.at('login-submit').isDisabled()).toBe(true);
    await on.page.locator('[data-testid=login-submit]:enabled').waitFor();
    await on.at('login-submit').click();
    await on.at('app-debian').waitFor();
  });

  it('is asked for again when it has run out', async () => {
    const on = await visit();
    await connect(on);
    on.mock.sessions.clear();
    on.mock.dropTunnels();
    await on.page.getByText('You were logged out').waitFor();
    await logIn(on);
    await phase(on, 'connected');
  });
});

describe('answers that nobody expects', () => {
  it.each<[string, Record<string, unknown>]>([
    ['HTML', { status: 200, body: '<h1>proxy</h1>' }],
    ['nothing', { status: 200, body: '' }],
    ['another shape', { status: 200, body: '{"items":[{"id":1}]}' }],
    ['an error without words', { status: 500, body: '' }],
    // Browsers ask again by themselves where a connection breaks.
    ['no answer', { status: 0, times: 99 }],
  ])('lead to plain words and a way on: %s', async (_, fault) => {
    const on = await visit();
    on.mock.faults.set('GET /apps', { status: 500, ...fault });
    await logIn(on);
    await on.at('problem').waitFor();
    on.mock.faults.clear();
    await on.at('problem-retry').click();
    await on.at('app-debian').waitFor();
    on.mock.faults.set('GET /session', { status: 500, ...fault });
    await on.page.reload();
    await on.at('problem').waitFor();
    on.mock.faults.clear();
    await on.at('problem-retry').click();
    await on.at('app-debian').waitFor();
  });

  it('that refuse a launch say why, and it can be tried again', async () => {
    const on = await visit();
    await logIn(on);
    on.mock.faults.set('POST /instances', { status: 503, problem: { detail: 'Docker cannot be reached. <script>alert(1)</script>' } });
    await on.at('launch-debian').click();
    await on.page.getByText('Docker cannot be reached. <script>alert(1)</script>').waitFor();
    await on.at('session-retry').click();
    await phase(on, 'connected');
  });

  it('that a start failed are shown at the step, and it can be tried again', async () => {
    const on = await visit({ mock: { stepMs: 200 } });
    await logIn(on);
    on.mock.instances.failAt = 'desktop';
    await on.at('launch-debian').click();
    await on.at('session-problem').waitFor();
    expect(await on.at('step-container').getAttribute('data-status')).toBe('done');
    expect(await on.at('step-desktop').getAttribute('data-status')).toBe('failed');
    await on.at('session-retry').click();
    await phase(on, 'connected');
  });

  it('with markup in names are shown as text', async () => {
    const on = await visit();
    const evil = '<img src=x onerror="document.title=\'taken\'">';
    const [app] = on.mock.apps;
    if (app) Object.assign(app, { name: evil, description: evil, icon: evil });
    await logIn(on);
    await on.page.getByText(evil).first().waitFor();
    await on.at('launch-debian').click();
    await phase(on, 'connected');
    await on.at('bar-toggle').click();
    await on.at('bar-disconnect').click();
    await on.page.getByText(evil).first().waitFor();
    expect(await on.page.title()).not.toBe('taken');
    expect(await on.page.locator('img[src=x]').count()).toBe(0);
  });

  it('that refuse an action say so and leave the list right', async () => {
    const on = await visit();
    await connect(on);
    await on.at('bar-toggle').click();
    await on.at('bar-disconnect').click();
    const [instance] = on.mock.instances.of('user-demo');
    if (!instance) throw new Error('there is no instance');
    on.mock.faults.set('POST /instances/:id/suspend', { status: 409, problem: { detail: 'It is being backed up.' } });
    await on.at(`suspend-${instance.id}`).click();
    await on.page.getByText('It is being backed up.').waitFor();
    await on.at(`suspend-${instance.id}`).click();
    await on.page.locator(`[data-testid="instance-${instance.id}"][data-state=suspended]`).waitFor();
  });
});
