/** One text on two clipboards: that of the desktop and that of this device. */

import { fits } from '../lib/guac/clipboard';
import {
  hasDeviceClipboard,
  readDevice,
  readPermission,
  writeDevice,
  type Permission,
} from '../lib/device-clipboard';
import { settings } from './settings.svelte';

export type ClipboardState = 'empty' | 'sent' | 'received' | 'unsent' | 'too-long';

export class SharedClipboard {
  text = $state('');
  state = $state<ClipboardState>('empty');
  permission = $state<Permission>('unknown');
  readonly available = hasDeviceClipboard();
  readonly #send: (text: string) => boolean;

  /** `send` puts a text on the desktop's clipboard and says whether it could. */
  constructor(send: (text: string) => boolean) {
    this.#send = send;
    void this.#ask();
  }

  /** Whether both are kept alike by themselves. */
  get syncing(): boolean {
    return this.available && settings.clipboardSync && this.permission === 'granted';
  }

  /** Puts a text on the desktop's clipboard, or keeps it until there is a connection. */
  send(text: string): void {
    this.text = text;
    if (!fits(text)) this.state = 'too-long';
    else this.state = this.#send(text) ? 'sent' : 'unsent';
  }

  /** There is a connection (again). */
  connected(): void {
    if (this.state === 'unsent') this.send(this.text);
    void this.fromDevice();
  }

  /** The desktop copied a text. */
  received(text: string): void {
    this.text = text;
    this.state = 'received';
    // Without focus the browser refuses; the text is in the bar in any case.
    if (this.available && settings.clipboardSync && document.hasFocus()) void writeDevice(text);
  }

  /** Takes over what was copied on this device meanwhile. */
  async fromDevice(): Promise<void> {
    if (!this.syncing || !document.hasFocus()) return;
    const text = await readDevice();
    if (text === null || text === '' || text === this.text || !fits(text)) return;
    this.send(text);
  }

  /** Turns sharing on, which may make the browser ask. Returns whether it is on now. */
  async turnOn(): Promise<boolean> {
    settings.clipboardSync = true;
    if ((await readDevice()) === null) {
      this.permission = await readPermission();
      settings.clipboardSync = this.permission !== 'denied';
      return false;
    }
    await this.#ask();
    await this.fromDevice();
    return this.syncing;
  }

  async #ask(): Promise<void> {
    if (this.available) this.permission = await readPermission();
  }
}
