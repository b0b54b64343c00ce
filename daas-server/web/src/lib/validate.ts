/** What is wrong with a form before it is sent. The server looks again. */

export const NAME_MAX = 100;
export const PASSWORD_MIN = 8;
export const PASSWORD_MAX = 1024;
export const TOKEN_DAYS_MAX = 366;

/** From this length on a password is long enough for most purposes. */
const GOOD_LENGTH = 14;
const FAIR_LENGTH = 11;

export type NameFault = 'empty' | 'long';
export type PasswordFault = 'short' | 'long' | 'different';
export type Strength = 'short' | 'fair' | 'good' | 'strong';

export function nameFault(name: string): NameFault | null {
  const length = [...name.trim()].length;
  if (length === 0) return 'empty';
  return length > NAME_MAX ? 'long' : null;
}

/** Characters are counted as the server counts them: by code points. */
function characters(password: string): number {
  return [...password].length;
}

export function passwordFault(password: string, again = password): PasswordFault | null {
  const length = characters(password);
  if (length < PASSWORD_MIN) return 'short';
  if (length > PASSWORD_MAX) return 'long';
  return password === again ? null : 'different';
}

/** By length only: it is what counts most, and rules about signs help nobody. */
export function strengthOf(password: string): Strength {
  const length = characters(password);
  if (length < PASSWORD_MIN) return 'short';
  if (length < FAIR_LENGTH) return 'fair';
  return length < GOOD_LENGTH ? 'good' : 'strong';
}

/** A number of days from 1 to a year, or `null`. */
export function asDays(text: string): number | null {
  const days = /^\s*\d{1,4}\s*$/.test(text) ? Number(text) : 0;
  return days >= 1 && days <= TOKEN_DAYS_MAX ? days : null;
}

/** One entry a line; empty lines and repetitions do not count. */
export function lines(text: string): string[] {
  return [...new Set(text.split('\n').map((line) => line.trim()))].filter((line) => line !== '');
}

/** A code as people write it: spaces do not count. */
export function plainCode(code: string): string {
  return code.replace(/\s+/g, '');
}

/** The time of a `datetime-local` field in RFC 3339, or empty. */
export function instant(local: string): string {
  const date = new Date(local);
  return local === '' || Number.isNaN(date.getTime()) ? '' : date.toISOString();
}
