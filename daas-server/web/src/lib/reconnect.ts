/**
 * When to connect again: a machine without a clock, a socket or a timer. It is told what
 * happened and when, and answers in which phase the connection is.
 */

import { dispositionOf, type EndReason } from './guac/status';

/** Why there is no connection. */
export interface Cause {
  readonly reason: EndReason;
  /** What the server said in plain words, or empty. */
  readonly detail: string;
}

export type Link =
  /** Not wanted at present. */
  | { readonly phase: 'idle' }
  /** Being opened. `attempt` counts from 1 and grows until a connection held. */
  | { readonly phase: 'connecting'; readonly attempt: number }
  /** The picture is there, since this time. */
  | { readonly phase: 'connected'; readonly attempt: number; readonly since: number }
  /** Lost; opened again at `until`. */
  | { readonly phase: 'waiting'; readonly attempt: number; readonly until: number; readonly cause: Cause }
  /** Over until the person asks for it. */
  | { readonly phase: 'ended'; readonly cause: Cause; readonly gaveUp: boolean };

export type LinkEvent =
  /** A connection is wanted: the desktop runs, or the person asks. */
  | { readonly type: 'start' }
  /** The first picture came. */
  | { readonly type: 'shown' }
  /** The attempt failed or the connection ended. */
  | { readonly type: 'lost'; readonly cause: Cause; readonly waitMs?: number | null }
  /** The time to wait is over, or "Try now". */
  | { readonly type: 'due' }
  /** A connection is not wanted any more. */
  | { readonly type: 'leave' };

/** Attempts in a row before giving up: about a minute and a half. */
export const ATTEMPTS_MAX = 9;
/** A connection that held this long was a good one; attempts are counted anew. */
export const HELD_MS = 20_000;
const DELAYS_MS = [1_000, 2_000, 3_000, 5_000, 8_000, 13_000, 20_000, 30_000] as const;
const DELAY_LAST_MS = 30_000;
/** The longest wait that the server may ask for. */
export const WAIT_MAX_MS = 120_000;
/** Waits differ by up to this much, so that all pages do not return at the same moment. */
const SPREAD = 0.2;

export const IDLE: Link = { phase: 'idle' };

/**
 * What follows from an event. `now` in milliseconds of any clock, `random` from 0 to 1.
 * Events that make no sense in a phase change nothing.
 */
export function next(link: Link, event: LinkEvent, now: number, random: number): Link {
  switch (event.type) {
    case 'start':
      return link.phase === 'idle' || link.phase === 'ended' ? { phase: 'connecting', attempt: 1 } : link;
    case 'shown':
      return link.phase === 'connecting'
        ? { phase: 'connected', attempt: link.attempt, since: now }
        : link;
    case 'lost':
      return lost(link, event.cause, event.waitMs ?? null, now, random);
    case 'due':
      return link.phase === 'waiting' ? { phase: 'connecting', attempt: link.attempt } : link;
    case 'leave':
      return IDLE;
  }
}

function lost(link: Link, cause: Cause, waitMs: number | null, now: number, random: number): Link {
  if (link.phase !== 'connecting' && link.phase !== 'connected') return link;
  if (dispositionOf(cause.reason) === 'ask') return { phase: 'ended', cause, gaveUp: false };
  const failed = failures(link, now);
  if (failed >= ATTEMPTS_MAX) return { phase: 'ended', cause, gaveUp: true };
  const until = now + delay(failed, waitMs, random);
  return { phase: 'waiting', attempt: failed + 1, until, cause };
}

/** Attempts in a row that came to nothing, this one included. */
function failures(link: Link & { attempt: number }, now: number): number {
  if (link.phase !== 'connected') return link.attempt;
  // A desktop that shows a picture and ends at once would be asked again without end.
  return now - link.since >= HELD_MS ? 0 : link.attempt;
}

function delay(failed: number, waitMs: number | null, random: number): number {
  const usual = DELAYS_MS[Math.max(0, failed - 1)] ?? DELAY_LAST_MS;
  const spread = usual * (1 + SPREAD * (2 * random - 1));
  return Math.max(spread, Math.min(waitMs ?? 0, WAIT_MAX_MS));
}
