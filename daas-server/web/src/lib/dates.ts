/** Dates in the words of the language of the page. */

import { language } from './text';

const DAY: Intl.DateTimeFormatOptions = { year: 'numeric', month: 'short', day: 'numeric' };
const MOMENT: Intl.DateTimeFormatOptions = { ...DAY, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };

/** `at` in milliseconds since 1970. */
export function date(at: number): string {
  return new Date(at).toLocaleDateString(language, DAY);
}

export function dateTime(at: number): string {
  return new Date(at).toLocaleString(language, MOMENT);
}

/** The same, to the second. */
export function moment(at: number): string {
  return new Date(at).toLocaleString(language, { ...MOMENT, second: '2-digit' });
}
