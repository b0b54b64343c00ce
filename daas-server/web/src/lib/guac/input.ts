/**
 * Keys and text from the browser.
 *
 * Keys are read from a text field that nobody sees: only there do input methods, dead keys
 * and on-screen keyboards write. `Guacamole.Keyboard` turns its key events into keysyms; text
 * without key events (composed, dictated, from a phone) is typed character by character.
 */

import Guacamole, { type Keyboard } from '@glokon/guacamole-common-js';
import { isBarCombo, Keysym, keysymsOf } from './keys';

export interface KeyHandlers {
  key(keysym: number, pressed: boolean): void;
  /** Ctrl+Alt+Shift. */
  bar(): void;
  /** A text was pasted by the browser's own means. */
  paste(text: string): void;
}

/** Something to delete: phones report a deletion only where there is text. */
const PAD = '\u200b\u200b\u200b\u200b';

export class KeyInput {
  readonly #field: HTMLTextAreaElement;
  readonly #keyboard: Keyboard;
  readonly #handlers: KeyHandlers;

  constructor(field: HTMLTextAreaElement, handlers: KeyHandlers) {
    this.#field = field;
    this.#handlers = handlers;
    this.#keyboard = new Guacamole.Keyboard();
    this.#keyboard.onkeydown = (keysym) => this.#down(keysym);
    this.#keyboard.onkeyup = (keysym) => handlers.key(keysym, false);
    this.#listen();
    this.#clear();
  }

  /** Releases all keys: their release will not be seen here. */
  release(): void {
    this.#keyboard.reset();
  }

  type(text: string): void {
    for (const keysym of keysymsOf(text)) this.#tap(keysym);
  }

  /** Returns whether the browser may act on the key as well: never. */
  #down(keysym: number): boolean {
    const pressed = Object.keys(this.#keyboard.pressed).map(Number);
    if (isBarCombo(pressed)) {
      this.release();
      this.#handlers.bar();
    } else {
      this.#handlers.key(keysym, true);
    }
    return false;
  }

  /** Own handlers come first and keep text events from the keyboard's, which lose some. */
  #listen(): void {
    const field = this.#field;
    field.addEventListener('compositionend', (event) => this.#composed(event));
    field.addEventListener('compositionstart', (event) => event.stopImmediatePropagation());
    field.addEventListener('input', (event) => this.#input(event as InputEvent));
    field.addEventListener('paste', (event) => this.#paste(event));
    this.#keyboard.listenTo(field);
  }

  #composed(event: CompositionEvent): void {
    event.stopImmediatePropagation();
    this.type(event.data);
    this.#clear();
  }

  #input(event: InputEvent): void {
    event.stopImmediatePropagation();
    // Typed when the composition ends, not before; browsers differ in which comes first.
    if (event.isComposing || event.inputType === 'insertCompositionText') return;
    if (event.inputType === 'insertFromComposition') return;
    if (event.inputType.startsWith('delete')) this.#tap(Keysym.BACKSPACE);
    else if (event.inputType === 'insertLineBreak') this.#tap(Keysym.RETURN);
    else if (event.data !== null) this.type(event.data);
    this.#clear();
  }

  #tap(keysym: number): void {
    this.#handlers.key(keysym, true);
    this.#handlers.key(keysym, false);
  }

  #paste(event: ClipboardEvent): void {
    event.preventDefault();
    const text = event.clipboardData?.getData('text/plain') ?? '';
    if (text !== '') this.#handlers.paste(text);
  }

  #clear(): void {
    this.#field.value = PAD;
    this.#field.setSelectionRange(PAD.length / 2, PAD.length / 2);
  }
}
