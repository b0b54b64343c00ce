/** What changed between two JSON values, one line for each part that has a value of its own. */

export type Change = 'added' | 'removed' | 'changed' | 'same';

export interface DiffLine {
  /** Where it is, such as `quota.instances`. */
  readonly path: string;
  readonly change: Change;
  readonly before: string | null;
  readonly after: string | null;
}

const DEPTH_MAX = 6;
const LINES_MAX = 200;

export function diff(before: unknown, after: unknown): DiffLine[] {
  const [old, now] = [flat(before), flat(after)];
  const paths = new Set([...old.keys(), ...now.keys()]);
  return [...paths].slice(0, LINES_MAX).map((path) => line(path, old.get(path) ?? null, now.get(path) ?? null));
}

function line(path: string, before: string | null, after: string | null): DiffLine {
  if (before === null) return { path, change: 'added', before, after };
  if (after === null) return { path, change: 'removed', before, after };
  return { path, change: before === after ? 'same' : 'changed', before, after };
}

function flat(value: unknown): Map<string, string> {
  const lines = new Map<string, string>();
  if (value !== null && value !== undefined) spread(value, '', 0, lines);
  return lines;
}

/** Objects are taken apart; lists of plain values stay together. */
function spread(value: unknown, path: string, depth: number, lines: Map<string, string>): void {
  if (depth >= DEPTH_MAX || !isObject(value)) {
    lines.set(path, shown(value));
    return;
  }
  const entries = Object.entries(value);
  if (entries.length === 0 && path !== '') lines.set(path, '{}');
  for (const [name, part] of entries) spread(part, path === '' ? name : `${path}.${name}`, depth + 1, lines);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  if (value === null) return '';
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((entry) => typeof entry === 'string')) return value.join(', ');
  return JSON.stringify(value);
}
