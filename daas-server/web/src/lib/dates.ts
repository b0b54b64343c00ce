/** Dates in the words of the language of the page. */

import { language } from './text';

const DAY: Intl.DateTimeFormatOptions = { year: 'numeric', month: 'short', day: 'numeric' };
const MOMENT: Intl.DateTimeFormatOptions = { ...DAY, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };

/** `at` in milliseconds since 1970. */
export function date(at: number): string {
  return new Date(at).toLocaleDateString(language, DAY);
}

/** Whether two times are of one day, where the device is. */
export function isSameDay(at: number, other: number): boolean {
  return new Date(at).toDateString() === new Date(other).toDateString();
}

export function timeOfDay(at: number): string {
  return new Date(at).toLocaleTimeString(language, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
}

export function dateTime(at: number): string {
  return new Date(at).toLocaleString(language, MOMENT);
}

/** The same, to the second. */
export function moment(at: number): string {
  return new Date(at).toLocaleString(language, { ...MOMENT, second: '2-digit' });
}
