// Requests and answers.

/**
 * @typedef {import('node:http').IncomingMessage} Request
 * @typedef {import('node:http').ServerResponse} Response
 */

/** An answer that is an error. */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {Record<string, unknown>} more
   */
  constructor(status, more = {}) {
    super(`status ${status}`);
    this.status = status;
    this.more = more;
  }
}

/**
 * Something is wrong with one field.
 * @param {string} field
 * @param {string} detail
 */
export function wrongField(field, detail) {
  return new Refusal(422, { code: 'invalid', errors: [{ field, detail }] });
}

/** @param {Request} request */
export function cookieOf(request) {
  return /(?:^|;\s*)daas_session=([0-9a-f]+)/.exec(request.headers.cookie ?? '')?.[1] ?? '';
}

/**
 * @param {Request} request
 * @returns {Promise<any>}
 */
export async function readJson(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * @param {Response} response
 * @param {number} status
 * @param {unknown} value
 */
export function json(response, status, value, type = 'application/json') {
  response.writeHead(status, { 'Content-Type': type }).end(JSON.stringify(value));
}

/**
 * @param {Response} response
 * @param {number} status
 * @param {Record<string, unknown>} more
 */
export function problem(response, status, more) {
  json(response, status, { type: 'about:blank', title: `Status ${status}`, status, ...more }, 'application/problem+json');
}

/**
 * A part of a list; the cursor is where it ends.
 * @template T
 * @param {readonly T[]} all
 * @param {URLSearchParams} query
 */
export function part(all, query) {
  const limit = Math.min(Number(query.get('limit') ?? 50) || 50, 200);
  const start = Number(query.get('cursor') ?? 0) || 0;
  const end = start + limit;
  return { items: all.slice(start, end), next_cursor: end < all.length ? String(end) : null };
}
