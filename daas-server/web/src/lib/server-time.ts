/** The time of the server: the clock of a device may be wrong by minutes. */

/** The header has whole seconds, and an answer takes a while: less than this is no difference. */
const SAME_MS = 3_000;

let aheadMs = 0;

/** Takes the `Date` of an answer. */
export function heard(date: string | null, now = Date.now()): void {
  const at = Date.parse(date ?? '');
  if (Number.isNaN(at)) return;
  aheadMs = Math.abs(at - now) < SAME_MS ? 0 : at - now;
}

export function serverNow(now = Date.now()): number {
  return now + aheadMs;
}
