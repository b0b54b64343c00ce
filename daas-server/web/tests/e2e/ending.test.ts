import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Instance } from '../../mock/instances.mjs';
import { accessible, connect, fitsSideways, focused, phase, until, visit, type Visit } from './harness';

const PICTURES = fileURLToPath(new URL('../../test-results/ending/', import.meta.url));
const IDLE = { action: 'suspend', reason: 'idle', after_s: 1800 };
const LIFETIME = { action: 'stop', reason: 'lifetime', after_s: 28_800 };

function instance({ mock }: Visit): Instance {
  return mock.desktop.instance;
}

async function warned(on: Visit, inS = 272, policy = LIFETIME): Promise<void> {
  await connect(on);
  on.mock.instances.endIn(instance(on), inS, policy);
  await on.at('ending').waitFor();
}

async function warnsNoMore(on: Visit): Promise<void> {
  await on.at('ending').waitFor({ state: 'detached' });
}

describe('a desktop that is about to end by itself', () => {
  it('says so, counts down, and is extended by a click', async () => {
    const on = await visit();
    await warned(on);
    expect(await on.at('ending').innerText()).toMatch(/will be stopped in\s4:3\d, as its time is over then\./);
    expect(await on.at('ending-spoken').innerText()).toBe('This desktop will be stopped in 5 minutes, as its time is over then.');
    const before = await on.at('ending-left').innerText();
    await until('it counts down', async () => (await on.at('ending-left').innerText()) !== before);
    // Input does not help against the end of its time.
    await on.page.mouse.move(300, 300);
    await on.page.keyboard.press('a');
    await on.page.waitForTimeout(600);
    await on.at('ending-extend').click();
    await warnsNoMore(on);
    expect(Date.parse(instance(on).ends?.at ?? '')).toBeGreaterThan(Date.now() + 3_500_000);
    await until('the keys go to the desktop again', async () => (await focused(on)) === 'viewer-keys');
  });

  it('is extended by the keyboard alone', async () => {
    const on = await visit();
    await warned(on);
    await on.page.keyboard.press('Control+Alt+Shift');
    await until('it comes first in the bar', async () => (await focused(on)) === 'ending-extend-in-bar');
    await accessible(on);
    await on.page.keyboard.press('Enter');
    await warnsNoMore(on);
    await on.at('bar').waitFor({ state: 'detached' });
  });

  it('for nobody uses it goes on with any input', async () => {
    const on = await visit();
    await warned(on, 200, IDLE);
    expect(await on.at('ending').innerText()).toMatch(/will be suspended in\s3:\d\d, as it is not being used\./);
    await on.page.keyboard.press('a');
    await warnsNoMore(on);
    await until('the server knows', () => Date.parse(instance(on).ends?.at ?? '') > Date.now() + 1_700_000);
  });

  it('is not warned of while somebody uses it elsewhere', async () => {
    const on = await visit();
    await connect(on);
    on.mock.instances.endIn(instance(on), 3600, IDLE);
    const asked = () => on.mock.log.filter((line) => line === `GET /instances/${instance(on).id}`).length;
    const before = asked();
    // The page is told of an end that is no more when it asks.
    const at = new Date(Date.now() + 100_000).toISOString();
    const stale = { ...instance(on), ends: { ...IDLE, at } };
    on.mock.changed(stale as Instance);
    await until('it asks', () => asked() > before);
    await on.page.waitForTimeout(500);
    expect(await on.at('ending').count()).toBe(0);
  });

  it('says why it ended', async () => {
    const on = await visit();
    await connect(on);
    const text = 'The desktop was suspended, as nobody used it for 30 minutes.';
    on.mock.instances.set(instance(on), 'suspended', null, { action: 'suspend', text });
    await on.page.locator('[data-testid=session-panel][data-kind=asleep]').waitFor();
    expect(await on.at('session-panel').innerText()).toContain(text);
    await on.at('session-wake').click();
    await phase(on, 'connected');
  });

  it('says on its card when', async () => {
    const on = await visit();
    await connect(on);
    const { id } = instance(on);
    on.mock.instances.endIn(instance(on), 72 * 3600, LIFETIME);
    await on.at('bar-toggle').click();
    await on.page.getByText('It keeps running').click();
    expect(await on.at(`ends-${id}`).innerText()).toContain('Will be stopped on');
    await accessible(on);
  });
});

describe('the warning', () => {
  for (const [name, colorScheme, width] of [
    ['light', 'light', 1280],
    ['dark', 'dark', 1280],
    ['phone', 'light', 375],
    ['phone-dark', 'dark', 375],
  ] as const) {
    it(`fits and can be read: ${name}`, async () => {
      mkdirSync(PICTURES, { recursive: true });
      const on = await visit({ context: { colorScheme, viewport: { width, height: 800 } } });
      await warned(on);
      await fitsSideways(on);
      await accessible(on);
      const box = await on.at('ending').boundingBox();
      expect(box && box.x >= 0 && box.x + box.width <= width).toBe(true);
      await on.page.screenshot({ path: `${PICTURES}${name}.png` });
      await on.at('bar-toggle').click();
      await on.at('ending-in-bar').waitFor();
      await warnsNoMore(on);
      await on.page.waitForTimeout(300);
      await on.page.screenshot({ path: `${PICTURES}${name}-bar.png` });
      await on.at('bar-close').click();
      await on.page.evaluate(() => (window.location.hash = '#/instances'));
      await on.at(`ends-${[...on.mock.instances.all.keys()][0]}`).waitFor();
      await fitsSideways(on);
      await on.page.screenshot({ path: `${PICTURES}${name}-card.png` });
    });
  }
});
