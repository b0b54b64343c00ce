/** Choices of this person on this device. */

import { attempt } from '../lib/attempt';

export type TouchMode = 'touchscreen' | 'touchpad';

function load(key: string): string | null {
  return attempt(() => localStorage.getItem(`daas.${key}`)) ?? null;
}

/** Where it cannot be, it is not remembered. */
function save(key: string, value: string): void {
  attempt(() => localStorage.setItem(`daas.${key}`, value));
}

class Settings {
  #touchMode = $state<TouchMode>(load('touch') === 'touchpad' ? 'touchpad' : 'touchscreen');
  #everyPixel = $state(load('everyPixel') === 'yes');
  #clipboardSync = $state(load('clipboardSync') !== 'no');

  get touchMode(): TouchMode {
    return this.#touchMode;
  }

  set touchMode(mode: TouchMode) {
    this.#touchMode = mode;
    save('touch', mode);
  }

  /** Whether the desktop gets as many pixels as the screen has. */
  get everyPixel(): boolean {
    return this.#everyPixel;
  }

  set everyPixel(on: boolean) {
    this.#everyPixel = on;
    save('everyPixel', on ? 'yes' : 'no');
  }

  /** Whether the clipboard is shared by itself, where the browser allows it. */
  get clipboardSync(): boolean {
    return this.#clipboardSync;
  }

  set clipboardSync(on: boolean) {
    this.#clipboardSync = on;
    save('clipboardSync', on ? 'yes' : 'no');
  }
}

export const settings = new Settings();
