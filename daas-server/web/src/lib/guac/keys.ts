/** Keysyms of X11 (`keysymdef.h`), for what is typed by other means than a keyboard. */

export const Keysym = {
  BACKSPACE: 0xff08,
  TAB: 0xff09,
  RETURN: 0xff0d,
  ESCAPE: 0xff1b,
  LEFT: 0xff51,
  UP: 0xff52,
  RIGHT: 0xff53,
  DOWN: 0xff54,
  PRINT: 0xff61,
  F4: 0xffc1,
  SHIFT_LEFT: 0xffe1,
  SHIFT_RIGHT: 0xffe2,
  CONTROL_LEFT: 0xffe3,
  CONTROL_RIGHT: 0xffe4,
  META_LEFT: 0xffe7,
  META_RIGHT: 0xffe8,
  ALT_LEFT: 0xffe9,
  ALT_RIGHT: 0xffea,
  SUPER_LEFT: 0xffeb,
  DELETE: 0xffff,
} as const;

/** Keys that are pressed one after the other and released the other way round. */
export interface Combo {
  readonly id: string;
  readonly label: string;
  readonly keys: readonly number[];
}

export const COMBOS: readonly Combo[] = [
  {
    id: 'ctrl-alt-del',
    label: 'Ctrl + Alt + Del',
    keys: [Keysym.CONTROL_LEFT, Keysym.ALT_LEFT, Keysym.DELETE],
  },
  { id: 'alt-tab', label: 'Alt + Tab', keys: [Keysym.ALT_LEFT, Keysym.TAB] },
  { id: 'alt-f4', label: 'Alt + F4', keys: [Keysym.ALT_LEFT, Keysym.F4] },
  { id: 'super', label: 'Super / Windows', keys: [Keysym.SUPER_LEFT] },
  { id: 'ctrl-esc', label: 'Ctrl + Esc', keys: [Keysym.CONTROL_LEFT, Keysym.ESCAPE] },
  { id: 'print', label: 'Print', keys: [Keysym.PRINT] },
];

const UNICODE = 0x01000000;

/** The keysym that types a character, or `null` for a control character without a key. */
export function keysymOf(codepoint: number): number | null {
  if (codepoint === 0x0a || codepoint === 0x0d) return Keysym.RETURN;
  if (codepoint === 0x09) return Keysym.TAB;
  if (codepoint === 0x08) return Keysym.BACKSPACE;
  if (codepoint === 0x1b) return Keysym.ESCAPE;
  if (codepoint < 0x20 || (codepoint >= 0x7f && codepoint <= 0x9f)) return null;
  if (codepoint >= 0xd800 && codepoint <= 0xdfff) return null;
  return codepoint <= 0xff ? codepoint : UNICODE | codepoint;
}

/**
 * The keys that type a text, character by character. (`Keyboard.type` of guacamole-common-js
 * goes by UTF-16 units and so types the second half of a surrogate pair once more.)
 */
export function keysymsOf(text: string): number[] {
  const lines = text.replace(/\r\n/g, '\n');
  return Array.from(lines).flatMap((character) => {
    const keysym = keysymOf(character.codePointAt(0) ?? 0);
    return keysym === null ? [] : [keysym];
  });
}

const CONTROLS: readonly number[] = [Keysym.CONTROL_LEFT, Keysym.CONTROL_RIGHT];
const SHIFTS: readonly number[] = [Keysym.SHIFT_LEFT, Keysym.SHIFT_RIGHT];
/** With Shift held, some layouts call the Alt key Meta. */
const ALTS: readonly number[] = [
  Keysym.ALT_LEFT,
  Keysym.ALT_RIGHT,
  Keysym.META_LEFT,
  Keysym.META_RIGHT,
];

/** Whether Ctrl, Alt and Shift are held and nothing else: the way to the bar. */
export function isBarCombo(pressed: readonly number[]): boolean {
  const some = (keys: readonly number[]) => pressed.some((keysym) => keys.includes(keysym));
  const only = pressed.every((keysym) => [CONTROLS, SHIFTS, ALTS].some((keys) => keys.includes(keysym)));
  return only && some(CONTROLS) && some(SHIFTS) && some(ALTS);
}
