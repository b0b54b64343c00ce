/** How long ago something was, in words. */

import { t } from './text';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `at` and `now` in milliseconds; clocks may differ a little, so the future is "just now". */
export function age(at: number, now: number): string {
  const span = now - at;
  if (span < MINUTE) return t.age.now;
  if (span < HOUR) return t.age.minutes(Math.floor(span / MINUTE));
  if (span < DAY) return t.age.hours(Math.floor(span / HOUR));
  return t.age.days(Math.floor(span / DAY));
}
