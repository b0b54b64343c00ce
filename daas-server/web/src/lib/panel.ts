/** What stands before (or instead of) the picture of a desktop. */

import type { Instance, InstanceState, Transition } from './api/types';
import { wakeOf } from './instances';
import type { Cause, Link } from './reconnect';

export type Panel =
  /** Nothing: the picture is there. */
  | { readonly kind: 'none' }
  /** On the way to the first picture. */
  | { readonly kind: 'progress' }
  /** It could not be launched; there is no instance. */
  | { readonly kind: 'launch-failed'; readonly text: string }
  | { readonly kind: 'failed'; readonly text: string; readonly resuming: boolean }
  /** Not running, and can be woken. The server may say why it is so. */
  | { readonly kind: 'asleep' | 'off'; readonly wake: Transition; readonly why: string }
  /** Between two states. */
  | { readonly kind: 'busy'; readonly state: InstanceState }
  | { readonly kind: 'gone' }
  /** The connection was lost and will be opened again. */
  | { readonly kind: 'waiting'; readonly until: number; readonly attempt: number; readonly cause: Cause }
  | { readonly kind: 'trying'; readonly attempt: number }
  | { readonly kind: 'ended'; readonly cause: Cause; readonly gaveUp: boolean };

export interface Situation {
  /** `null` while it is being asked for. */
  readonly instance: Instance | null;
  readonly gone: boolean;
  /** Why the launch was refused, in plain words. */
  readonly launchProblem: string | null;
  readonly link: Link;
  /** Whether there was a picture already. */
  readonly seen: boolean;
}

export function panelOf({ instance, gone, launchProblem, link, seen }: Situation): Panel {
  if (gone) return { kind: 'gone' };
  if (launchProblem !== null) return { kind: 'launch-failed', text: launchProblem };
  if (instance === null) return { kind: 'progress' };
  return instance.state === 'running' ? panelOfLink(link, seen) : panelOfState(instance);
}

function panelOfState({ state, failure }: Instance): Panel {
  switch (state) {
    case 'requested':
    case 'starting':
    case 'resuming':
      return { kind: 'progress' };
    case 'failed':
      return { kind: 'failed', text: failure?.text ?? '', resuming: failure?.action === 'resume' };
    case 'suspended':
      return { kind: 'asleep', wake: wakeOf(state) ?? 'resume', why: failure?.text ?? '' };
    case 'stopped':
      return { kind: 'off', wake: wakeOf(state) ?? 'start', why: failure?.text ?? '' };
    case 'deleted':
      return { kind: 'gone' };
    default:
      return { kind: 'busy', state };
  }
}

function panelOfLink(link: Link, seen: boolean): Panel {
  switch (link.phase) {
    case 'connected':
      return { kind: 'none' };
    case 'idle':
      return { kind: 'progress' };
    case 'connecting':
      return seen || link.attempt > 1 ? { kind: 'trying', attempt: link.attempt } : { kind: 'progress' };
    case 'waiting':
      return { kind: 'waiting', until: link.until, attempt: link.attempt, cause: link.cause };
    case 'ended':
      return { kind: 'ended', cause: link.cause, gaveUp: link.gaveUp };
  }
}
