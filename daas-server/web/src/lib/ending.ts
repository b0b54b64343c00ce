/** When to warn of what ends a desktop by itself. */

import type { End } from './api/types';

const LONGEST_MS = 5 * 60_000;

/** What is about to happen to a desktop that somebody looks at. */
export interface Warning {
  readonly end: End;
  readonly leftMs: number;
}

/** What is to come after input at `usedAt`, which the server may not have told yet. */
export function upcoming(end: End | null, usedAt: number | null): End | null {
  if (end === null || end.reason !== 'idle' || usedAt === null) return end;
  return { ...end, at: Math.max(end.at, usedAt + end.afterMs) };
}

/** Five minutes before the end, or a third of its time where that is less. */
export function warnsFrom({ at, afterMs }: End): number {
  return at - Math.min(LONGEST_MS, afterMs / 3);
}

/** What is to be said now, if anything. All times are those of the server. */
export function warningOf(end: End | null, usedAt: number | null, now: number): Warning | null {
  const next = upcoming(end, usedAt);
  return next !== null && now >= warnsFrom(next) ? { end: next, leftMs: Math.max(0, next.at - now) } : null;
}

/** Such as `4:32`. */
export function countdown(ms: number): string {
  const s = Math.ceil(ms / 1000);
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
}

/** Minutes to be read out: seconds would be too much. */
export function minutesLeft(ms: number): number {
  return Math.max(1, Math.ceil(ms / 60_000));
}
