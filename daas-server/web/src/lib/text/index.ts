/** The words of the page, in the language of the person where there is one. */

import { ApiError } from '../api/error';
import { en, type Texts } from './en';

const LANGUAGES: Readonly<Record<string, Texts>> = { en };

/** The first language that the person reads and the page speaks. */
export function choose(wanted: readonly string[]): string {
  const known = wanted.map((tag) => tag.toLowerCase().split('-')[0] ?? '');
  return known.find((language) => Object.hasOwn(LANGUAGES, language)) ?? 'en';
}

const wanted = typeof navigator === 'undefined' ? [] : navigator.languages;

/** The language in use, as an HTML `lang`. */
export const language: string = choose(wanted);

export const t: Texts = LANGUAGES[language] ?? en;

/** What an error of any kind means, in plain words. */
export function wordsFor(error: unknown): string {
  return error instanceof ApiError ? t.problem(error) : t.notAnApiError;
}
