// Which route does what, who may use it, and which fields it knows.

import { json, problem, Refusal } from '../http.mjs';
import { HOSTS } from './hosts.mjs';
import { OWN } from './own.mjs';
import { PEOPLE } from './people.mjs';

/**
 * @typedef {object} Call
 * @property {import('../server.mjs').Mock} mock
 * @property {import('../server.mjs').Session} session
 * @property {import('./directory.mjs').User} user who asks
 * @property {string} id of the path, or empty
 * @property {URLSearchParams} query
 * @property {any} body
 * @property {import('../http.mjs').Response} response
 *
 * @typedef {object} Route
 * @property {string} [permission]
 * @property {readonly string[]} [fields] all that the body may hold
 * @property {number} [status] of the answer, 200 where it is not given
 * @property {(call: Call) => unknown} run nothing is answered with 204
 */

/** @type {Readonly<Record<string, Route>>} */
const ROUTES = { ...OWN, ...PEOPLE, ...HOSTS };

/**
 * Answers, if it is one of these routes. Returns whether it is.
 * @param {string} name method and path, the id written as `:id`
 * @param {Call} call
 */
export function answer(name, call) {
  const route = ROUTES[name];
  if (!route) return false;
  try {
    check(route, call);
    const value = route.run(call);
    if (call.response.headersSent) return true;
    if (value === undefined) call.response.writeHead(204).end();
    else json(call.response, route.status ?? 200, value);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    problem(call.response, error.status, error.more);
  }
  return true;
}

/**
 * @param {Route} route
 * @param {Call} call
 */
function check({ permission, fields }, { mock, user, body }) {
  if (permission && !mock.directory.permissionsOf(user).includes(permission)) {
    throw new Refusal(403, { code: 'forbidden', detail: 'You are not allowed to do this.' });
  }
  const unknown = Object.keys(body ?? {}).filter((name) => !(fields ?? []).includes(name));
  if (unknown.length > 0) throw new Refusal(400, { detail: `Unknown fields: ${unknown.join(', ')}.` });
  if (fields && (typeof body !== 'object' || body === null)) throw new Refusal(400, { detail: 'A body is needed.' });
}
