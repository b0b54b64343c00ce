import { describe, expect, it } from 'vitest';
import { COMBOS, isBarCombo, Keysym, keysymOf, keysymsOf } from '../../src/lib/guac/keys';
import { integer, random, SAMPLE, unicode } from './random';

describe('keysyms of text', () => {
  it.each([
    ['a', [0x61]],
    ['ü', [0xfc]],
    ['€', [0x010020ac]],
    ['世', [0x01004e16]],
    ['🚀', [0x0101f680]],
    ['\n', [Keysym.RETURN]],
    ['\r\n', [Keysym.RETURN]],
    ['\t', [Keysym.TAB]],
    ['\u0007', []],
    ['\ud83d', []],
  ])('%j', (text, keysyms) => {
    expect(keysymsOf(text)).toEqual(keysyms);
  });

  it('are one for each character, none twice', () => {
    const next = random(7);
    for (let round = 0; round < 100; round++) {
      const text = unicode(next, integer(next, 100)).replaceAll('\0', '');
      expect(keysymsOf(text)).toHaveLength([...text].length);
    }
    expect(keysymsOf(SAMPLE)).toHaveLength(16);
  });

  it('are never control characters nor surrogates', () => {
    for (let codepoint = 0; codepoint <= 0x10ffff; codepoint += codepoint < 0x3000 ? 1 : 97) {
      const keysym = keysymOf(codepoint);
      if (keysym === null) continue;
      const character = keysym >= 0xff00 && keysym <= 0xffff ? null : keysym & 0xffffff;
      if (character !== null) expect(character).toBe(codepoint);
    }
  });
});

describe('the way to the bar', () => {
  it.each([
    [[Keysym.CONTROL_LEFT, Keysym.ALT_LEFT, Keysym.SHIFT_LEFT], true],
    [[Keysym.CONTROL_RIGHT, Keysym.ALT_RIGHT, Keysym.SHIFT_RIGHT], true],
    [[Keysym.CONTROL_LEFT, Keysym.META_LEFT, Keysym.SHIFT_LEFT], true],
    [[Keysym.CONTROL_LEFT, Keysym.ALT_LEFT], false],
    [[Keysym.CONTROL_LEFT, Keysym.ALT_LEFT, Keysym.SHIFT_LEFT, 0x61], false],
    [[Keysym.CONTROL_LEFT, Keysym.ALT_LEFT, Keysym.DELETE], false],
    [[], false],
  ])('%j: %s', (pressed, expected) => {
    expect(isBarCombo(pressed)).toBe(expected);
  });

  it('is none of the combinations that are sent', () => {
    for (const { keys } of COMBOS) expect(isBarCombo(keys)).toBe(false);
  });
});
