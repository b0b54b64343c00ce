/** Why a request did not give what was asked. */

import type { Fields } from './decode';

export type ErrorKind =
  /** The server answered with an error. */
  | 'problem'
  /** No answer: no network, or the server is down. */
  | 'network'
  /** No answer in time. */
  | 'timeout'
  /** An answer that this page does not understand. */
  | 'unexpected';

/** What the server says of one field of what was sent. */
export interface FieldProblem {
  readonly field: string;
  readonly detail: string;
}

export class ApiError extends Error {
  readonly kind: ErrorKind;
  /** HTTP status, or 0 where there was none. */
  readonly status: number;
  /** What the server says about it in plain words, or empty. */
  readonly detail: string;
  /** How long to wait before asking again, in milliseconds, where the server says so. */
  readonly retryAfterMs: number | null;
  /** Which error it is, where the server has a word for it, or empty. */
  readonly code: string;
  readonly fields: readonly FieldProblem[];

  constructor(
    kind: ErrorKind,
    status = 0,
    detail = '',
    retryAfterMs: number | null = null,
    code = '',
    fields: readonly FieldProblem[] = [],
  ) {
    super(`${kind} ${status} ${detail}`.trim());
    this.name = 'ApiError';
    this.kind = kind;
    this.status = status;
    this.detail = detail;
    this.retryAfterMs = retryAfterMs;
    this.code = code;
    this.fields = fields;
  }
}

/** Longest wait that is taken from an answer. */
const RETRY_AFTER_MAX_MS = 24 * 60 * 60 * 1000;

/** `Retry-After` is a number of seconds or a date (RFC 9110, section 10.2.3). */
export function retryAfter(header: string | null, body: unknown, now: number): number | null {
  if (typeof body === 'number') return bounded(body * 1000);
  if (header === null) return null;
  if (/^\s*\d{1,9}\s*$/.test(header)) return bounded(Number(header) * 1000);
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : bounded(date - now);
}

function bounded(ms: number): number | null {
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS) : null;
}

/** The longest text of a server that is shown. */
const DETAIL_MAX = 600;

/** The plain words of a problem document (RFC 9457): its detail, else those of its fields. */
export function problemText(problem: Fields): string {
  const detail = problem['detail'];
  if (typeof detail === 'string' && detail !== '') return detail.slice(0, DETAIL_MAX);
  const details = problemMarks(problem).fields.map((field) => field.detail);
  return details.join(' ').slice(0, DETAIL_MAX);
}

/** What of a problem document is for programs. */
export function problemMarks(problem: Fields): { code: string; fields: FieldProblem[] } {
  const { code, errors } = problem;
  const fields = Array.isArray(errors) ? errors.flatMap(fieldProblem) : [];
  return { code: typeof code === 'string' ? code : '', fields };
}

function fieldProblem(entry: unknown): FieldProblem[] {
  if (typeof entry !== 'object' || entry === null) return [];
  const { field, detail } = entry as Fields;
  if (typeof detail !== 'string') return [];
  return [{ field: typeof field === 'string' ? field : '', detail: detail.slice(0, DETAIL_MAX) }];
}
