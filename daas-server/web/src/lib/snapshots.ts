/** What can be said of snapshots without asking the server. */

import type { InstanceState } from './api/types';

const NAME = /^[A-Za-z][A-Za-z0-9_-]{1,39}$/;
/** Names that mean something else where snapshots are kept. */
const RESERVED: readonly string[] = ['current', 'pending', 'vzdump'];

/** What is wrong with a name, if anything. */
export function snapshotNameFault(name: string, taken: readonly string[]): 'form' | 'taken' | null {
  if (!NAME.test(name) || RESERVED.includes(name)) return 'form';
  return taken.includes(name) ? 'taken' : null;
}

/** A name that nobody has to think of, by the clock of this device. */
export function suggestedName(now: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  const day = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('-');
  return `at-${day}-${two(now.getHours())}${two(now.getMinutes())}`;
}

export function canTake(state: InstanceState): boolean {
  return state === 'running' || state === 'stopped';
}

export function canGoBack(state: InstanceState): boolean {
  return state === 'stopped';
}
