/** What can be said of an instance without asking the server. */

import type { Instance, InstanceState, Transition } from './api/types';

/** Kinds of states that look alike. */
export type Mood = 'running' | 'busy' | 'asleep' | 'off' | 'failed' | 'unknown';

export function moodOf(state: InstanceState): Mood {
  switch (state) {
    case 'running':
      return 'running';
    case 'suspended':
      return 'asleep';
    case 'stopped':
    case 'deleted':
      return 'off';
    case 'failed':
      return 'failed';
    case 'unknown':
      return 'unknown';
    default:
      return 'busy';
  }
}

/** The transitions that the server allows in a state. */
export function transitionsOf(state: InstanceState): readonly Transition[] {
  switch (state) {
    case 'running':
      return ['suspend', 'stop'];
    case 'suspended':
      return ['resume', 'stop'];
    case 'requested':
    case 'stopped':
      return ['start'];
    case 'starting':
      return ['stop'];
    case 'failed':
      return ['start', 'stop'];
    default:
      return [];
  }
}

/** Those of them that its host is able to do. */
export function offered({ state, abilities }: Pick<Instance, 'state' | 'abilities'>): readonly Transition[] {
  return transitionsOf(state).filter((transition) => transition !== 'suspend' || abilities.suspend);
}

/** Whether it is on its way to run, or runs. */
export function isComing(state: InstanceState): boolean {
  return state === 'requested' || state === 'starting' || state === 'resuming' || state === 'running';
}

/** Whether one may ask for the picture: what does not run yet is woken first. */
export function canOpen(state: InstanceState): boolean {
  return isComing(state) || state === 'suspended' || state === 'stopped' || state === 'failed';
}

/** What must be asked for before the picture can come, if anything. */
export function wakeOf(state: InstanceState): Transition | null {
  if (state === 'suspended') return 'resume';
  return state === 'stopped' || state === 'failed' ? 'start' : null;
}

export function canDelete(state: InstanceState): boolean {
  return state !== 'deleting' && state !== 'deleted';
}

/** The list with a changed instance in its place; deleted ones leave it, new ones come first. */
export function merge(instances: readonly Instance[], changed: Instance): Instance[] {
  const rest = instances.filter((instance) => instance.id !== changed.id);
  if (changed.state === 'deleted') return rest;
  const known = instances.find((instance) => instance.id === changed.id);
  if (known && known.changedAt > changed.changedAt) return [...instances];
  return [...rest, changed].sort((a, b) => b.createdAt - a.createdAt || a.id.localeCompare(b.id));
}
