// Logging in: by password, with a second step, by an invitation.

import { json, problem } from '../http.mjs';
import { isTotp } from '../totp.mjs';
import { sessionView } from './views.mjs';

/**
 * @typedef {import('../server.mjs').Mock} Mock
 * @typedef {import('../http.mjs').Request} Request
 * @typedef {import('../http.mjs').Response} Response
 */

const TRIES_MAX = 5;

/**
 * @param {Mock} mock
 * @param {any} body
 * @param {Request} request
 * @param {Response} response
 */
export function logIn(mock, body, request, response) {
  const wait = Math.ceil((mock.blockedUntil - Date.now()) / 1000);
  if (wait > 0) {
    response.setHeader('Retry-After', String(wait));
    return problem(response, 429, { detail: 'Too many attempts.', retry_after: wait });
  }
  const user = mock.directory.byName(String(body?.username));
  if (!user || user.disabled || user.password === null || user.password !== body?.password) return wrong(mock, response);
  if (user.totp !== null && body.totp === undefined) {
    return problem(response, 401, { code: 'totp_required', detail: 'A code is needed too.' });
  }
  if (user.totp !== null && !isTotp(user.totp, body.totp) && !take(user.recovery, body.totp)) return wrong(mock, response);
  mock.failedTries = 0;
  user.last_login_at = new Date().toISOString();
  json(response, 200, sessionView(mock, mock.beginSession(user, response, browserOf(request))));
}

/**
 * Takes an invitation.
 * @param {Mock} mock
 * @param {any} body
 * @param {Request} request
 * @param {Response} response
 */
export function accept(mock, body, request, response) {
  const { directory } = mock;
  const id = directory.invitations.get(String(body?.token));
  const user = id === undefined ? undefined : directory.users.get(id);
  if (!user) return problem(response, 401, { code: 'wrong', detail: 'There is no such invitation.' });
  directory.invitations.delete(body.token);
  user.password = body.password;
  json(response, 200, sessionView(mock, mock.beginSession(user, response, browserOf(request))));
}

/**
 * @param {Mock} mock
 * @param {Response} response
 */
function wrong(mock, response) {
  mock.failedTries++;
  if (mock.failedTries >= TRIES_MAX) {
    mock.failedTries = 0;
    mock.blockedUntil = Date.now() + (mock.options.retryAfterS ?? 30) * 1000;
  }
  problem(response, 401, { code: 'wrong', detail: 'Name or password is wrong.' });
}

/** @param {Request} request */
function browserOf(request) {
  return { address: request.socket.remoteAddress ?? '', user_agent: request.headers['user-agent'] ?? '' };
}

/**
 * A code that is good once.
 * @param {string[]} codes
 * @param {unknown} code
 */
function take(codes, code) {
  const at = codes.indexOf(String(code));
  if (at >= 0) codes.splice(at, 1);
  return at >= 0;
}
