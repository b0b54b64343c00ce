/**
 * Reads values of unknown shape. What the server sends is checked once, here; the rest of
 * the page works with types.
 */

/** Something was not what the interface promises. */
export class Unexpected extends Error {
  constructor(path: string, wanted: string) {
    super(`${path}: ${wanted} expected`);
    this.name = 'Unexpected';
  }
}

export type Fields = Readonly<Record<string, unknown>>;

export function fields(value: unknown, path: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Unexpected(path, 'an object');
  }
  return value as Fields;
}

export function list<T>(value: unknown, path: string, item: (value: unknown, path: string) => T): T[] {
  if (!Array.isArray(value)) throw new Unexpected(path, 'a list');
  return value.map((entry: unknown, index) => item(entry, `${path}[${index}]`));
}

export function text(from: Fields, name: string, path: string): string {
  const value = from[name];
  if (typeof value !== 'string') throw new Unexpected(`${path}.${name}`, 'a text');
  return value;
}

/** A text that may be left out; then it is empty. */
export function optionalText(from: Fields, name: string): string {
  const value = from[name];
  return typeof value === 'string' ? value : '';
}

export function count(from: Fields, name: string, path: string): number {
  const value = from[name];
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw new Unexpected(`${path}.${name}`, 'a number');
  }
  return value;
}

/** One of these words, or `otherwise`: a newer server may know more of them. */
export function word<T extends string>(value: unknown, words: readonly T[], otherwise: T): T {
  return words.find((known) => known === value) ?? otherwise;
}

/** A time in RFC 3339, as milliseconds since 1970. */
export function time(from: Fields, name: string, path: string): number {
  const value = Date.parse(text(from, name, path));
  if (Number.isNaN(value)) throw new Unexpected(`${path}.${name}`, 'a time');
  return value;
}

/** A time that may not have come yet. */
export function optionalTime(from: Fields, name: string, path: string): number | null {
  return from[name] === null || from[name] === undefined ? null : time(from, name, path);
}

/** Yes or no; no where it is left out. */
export function flag(from: Fields, name: string): boolean {
  return from[name] === true;
}

/** Texts; none where they are left out. */
export function texts(from: Fields, name: string): string[] {
  const value = from[name];
  return Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === 'string') : [];
}

/** Those of the words that this page knows. */
export function known<T extends string>(from: Fields, name: string, words: readonly T[]): T[] {
  return texts(from, name).flatMap((value) => words.find((entry) => entry === value) ?? []);
}

/** A part of a list, and where the next part begins. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

export function page<T>(item: (value: unknown, path: string) => T): (value: unknown) => Page<T> {
  return (value) => {
    const from = fields(value, 'page');
    const next = from['next_cursor'];
    return { items: list(from['items'], 'page.items', item), next: typeof next === 'string' ? next : null };
  };
}
