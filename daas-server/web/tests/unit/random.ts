/** Repeatable randomness, and texts that try what Unicode has. */

/** Numbers from 0 to 1 (mulberry32), always the same for a seed. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function integer(next: () => number, below: number): number {
  return Math.floor(next() * below);
}

export function pick<T>(next: () => number, from: readonly T[]): T {
  const item = from[integer(next, from.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

const PIECES = ['a', ',', ';', '.', '0', '\n', '\0', 'é', 'ß', '世', '\u07ff', '\u0800', '\uffff', '🚀', '👩‍👩‍👧', '\u{10ffff}'];

/** A well-formed text of so many pieces, of one to four bytes of UTF-8 for each character. */
export function unicode(next: () => number, pieces: number): string {
  return Array.from({ length: pieces }, () => pick(next, PIECES)).join('');
}

export const SAMPLE = 'Grüße 世界 👩‍👩‍👧 🚀';
