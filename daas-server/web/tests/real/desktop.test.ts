/** The whole way of a person, step after step, with nothing in it that is not real. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { Visit, desktops, inside, killGuacd, until } from './harness';

const TEXT = 'Grüße 世界 👩‍👩‍👧 🚀';

let visit: Visit;

beforeAll(async () => {
  visit = await Visit.begin();
});

afterAll(() => visit?.end());

it('logs in and launches a desktop that shows a picture', async () => {
  await visit.logIn();
  await visit.screenshot('catalogue');
  await visit.at('launch-desktop').click();
  await visit.picture();
  await until('its panel is drawn', async () => (await visit.colours()) > 40);
});

it('types into a terminal of the desktop', async () => {
  await visit.at('viewer-keys').focus();
  await visit.page.keyboard.press('Control+Alt+t');
  await until('the terminal is there', async () => (await inside('pgrep -c bash')) !== '0');
  await until('the file is there', async () => {
    await visit.page.keyboard.type('echo "it works: $((6 * 7))" > ~/Grüße.txt\n', { delay: 15 });
    return (await inside('cat ~/Grüße.txt')) === 'it works: 42';
  });
  await visit.screenshot('desktop');
});

it('carries text to the clipboard of the desktop', async () => {
  await visit.openBar();
  await visit.at('bar-clipboard').fill(TEXT);
  await until('it is there', async () => (await inside('xclip -o -selection clipboard -t UTF8_STRING')) === TEXT);
});

it('carries text from the clipboard of the desktop', async () => {
  const text = `${TEXT} back`;
  await inside(`printf %s '${text}' | xclip -i -selection clipboard`);
  await until('it is here', async () => (await visit.at('bar-clipboard').inputValue()) === text);
  await visit.at('bar-close').click();
});

it('gives the desktop the size of the window', async () => {
  for (const [width, height] of [[1000, 700], [1440, 900]] as const) {
    await visit.page.setViewportSize({ width, height });
    await until('the desktop has it', async () => (await inside('xrandr')).includes(`current ${width} x ${height}`));
  }
});

it('connects again by itself after guacd was killed', async () => {
  await killGuacd();
  await visit.page.locator('[data-testid=reconnect-state]:not([data-phase=connected])').waitFor();
  await visit.screenshot('reconnecting');
  await visit.picture();
});

it('stops and deletes the desktop, and leaves no container', async () => {
  await visit.openBar();
  await visit.at('bar-stop').click();
  await visit.at('confirm-yes').click();
  await until('nothing runs', async () => (await desktops()).length === 0);
  await visit.page.goto(`${visit.page.url().split('#')[0]}#/instances`);
  await visit.screenshot('stopped');
  const remove = visit.page.locator('[data-testid^=delete-]').first();
  await remove.click();
  await visit.at('confirm-yes').click();
  await until('no container is left', async () => (await desktops('-a')).length === 0);
  expect(await desktops('-a')).toEqual([]);
});
