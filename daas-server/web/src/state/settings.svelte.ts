/** Choices of this person on this device. */

export type TouchMode = 'touchscreen' | 'touchpad';

function load(key: string): string | null {
  try {
    return localStorage.getItem(`daas.${key}`);
  } catch {
    return null;
  }
}

function save(key: string, value: string): void {
  try {
    localStorage.setItem(`daas.${key}`, value);
  } catch {
    // Not remembered, then.
  }
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
