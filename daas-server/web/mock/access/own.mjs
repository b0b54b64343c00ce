// Routes about oneself, and those for operators.

import { randomBytes, randomUUID } from 'node:crypto';
import { part, Refusal, wrongField } from '../http.mjs';
import { isTotp, newSecret } from '../totp.mjs';
import { exported } from './audit.mjs';
import { DIMENSIONS } from './directory.mjs';
import { checkQuota } from './people.mjs';
import { ownQuota, sessionView } from './views.mjs';

/**
 * @typedef {import('./routes.mjs').Call} Call
 * @typedef {import('./routes.mjs').Route} Route
 */

const DAY_MS = 86_400_000;
const SCOPES = ['apps_read', 'instances_read', 'instances_write', 'users_read', 'users_write', 'audit_read', 'hosts_read', 'hosts_write'];

/**
 * @param {Call} call
 * @param {unknown} password
 */
function confirmPassword({ user }, password) {
  if (password !== user.password) throw new Refusal(401, { code: 'wrong', detail: 'The password is wrong.' });
}

/** @param {Call} call */
function changePassword(call) {
  const { mock, user, session, body, response } = call;
  confirmPassword(call, body.current);
  if (String(body.new).length < 8) throw wrongField('new', 'At least 8 characters.');
  user.password = body.new;
  mock.endSessionsOf(user.id);
  return sessionView(mock, mock.beginSession(user, response, session));
}

/** @param {Call} call */
function beginTotp(call) {
  confirmPassword(call, call.body.password);
  const secret = (call.user.pendingTotp = newSecret());
  const url = `otpauth://totp/daas:${encodeURIComponent(call.user.name)}?secret=${secret}&issuer=daas`;
  return { secret, url };
}

/** @param {Call} call */
function confirmTotp({ user, body }) {
  if (user.pendingTotp === null) throw new Refusal(409, { detail: 'Begin first.' });
  if (!isTotp(user.pendingTotp, body.code)) throw new Refusal(401, { code: 'wrong', detail: 'The code is wrong.' });
  user.totp = user.pendingTotp;
  user.recovery = Array.from({ length: 10 }, () => randomBytes(5).toString('hex').replace(/^(.{5})/, '$1-'));
  return { recovery_codes: user.recovery };
}

/** @param {Call} call */
function disableTotp(call) {
  confirmPassword(call, call.body.password);
  call.user.totp = null;
  call.user.recovery = [];
}

/** @param {Call} call */
function logins({ mock, user, session }) {
  const own = [...mock.sessions.values()].filter((other) => other.user === user.id);
  const items = own.map(({ id, created_at, used_at, address, user_agent, ...other }) => ({
    id,
    created_at,
    used_at,
    expires_at: new Date(Date.parse(created_at) + DAY_MS).toISOString(),
    address,
    user_agent,
    current: other.csrf_token === session.csrf_token,
  }));
  return { items, next_cursor: null };
}

/** @param {Call} call */
function endLogins({ mock, user, session, id }) {
  for (const [cookie, other] of mock.sessions) {
    const meant = id === '' ? other !== session : other.id === id;
    if (other.user === user.id && meant) mock.sessions.delete(cookie);
  }
}

/** @param {Call} call */
function listTokens({ mock, user }) {
  const own = [...mock.directory.tokens.values()].filter(({ owner }) => owner === user.id);
  return { items: own.map(({ owner: _, ...token }) => token), next_cursor: null };
}

/** @param {Call} call */
function createToken({ mock, user, body }) {
  const { name, scopes, expires_in_days: days } = body;
  if (!scopes.every((/** @type {string} */ scope) => SCOPES.includes(scope))) throw wrongField('scopes', 'No such scope.');
  if (!(Number.isInteger(days) && days >= 1 && days <= 366)) throw wrongField('expires_in_days', 'From 1 to 366.');
  const now = Date.now();
  const times = { created_at: new Date(now).toISOString(), expires_at: new Date(now + days * DAY_MS).toISOString() };
  const token = { id: randomUUID(), name, scopes, ...times, last_used_at: null };
  mock.directory.tokens.set(token.id, { owner: user.id, ...token });
  return { token: `daas_${randomBytes(24).toString('base64url')}`, ...token };
}

/** @param {Call} call */
function deleteToken({ mock, user, id }) {
  if (mock.directory.tokens.get(id)?.owner !== user.id) throw new Refusal(404);
  mock.directory.tokens.delete(id);
}

/** @param {Call} call */
function exportAudit({ mock, query, response }) {
  const text = exported(mock.directory.audit.find(query), query.get('format'));
  response.setHeader('Content-Disposition', `attachment; filename="audit.${query.get('format')}"`);
  response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' }).end(text);
}

/** @param {Call} call */
function endTunnel({ mock, id }) {
  const tunnel = mock.tunnels.get(id);
  if (!tunnel) throw new Refusal(404);
  tunnel.end();
  mock.tunnels.delete(id);
}

/** @param {Call} call */
function setAppQuota({ mock, body, id }) {
  if (!mock.apps.some((app) => app.id === id)) throw new Refusal(404);
  mock.directory.appQuotas.set(id, checkQuota(body));
  return body;
}

/** @type {Record<string, Route>} */
export const OWN = {
  'POST /profile/password': { fields: ['current', 'new'], run: changePassword },
  'POST /profile/totp': { fields: ['password'], run: beginTotp },
  'POST /profile/totp/confirm': { fields: ['code'], run: confirmTotp },
  'POST /profile/totp/disable': { fields: ['password'], run: disableTotp },
  'GET /profile/sessions': { run: logins },
  'DELETE /profile/sessions': { run: endLogins },
  'DELETE /profile/sessions/:id': { run: endLogins },
  'GET /profile/quota': { run: ({ mock, user }) => ownQuota(mock, user) },
  'GET /tokens': { run: listTokens },
  'POST /tokens': { fields: ['name', 'scopes', 'expires_in_days'], status: 201, run: createToken },
  'DELETE /tokens/:id': { run: deleteToken },
  'PUT /apps/:id/quota': { permission: 'quotas_manage', fields: [...DIMENSIONS], run: setAppQuota },
  'GET /audit': { permission: 'audit_read', run: ({ mock, query }) => part(mock.directory.audit.find(query), query) },
  'GET /audit/export': { permission: 'audit_read', run: exportAudit },
  'GET /sessions': {
    permission: 'sessions_read_all',
    run: ({ mock, query }) => part([...mock.tunnels.values()].map(({ end: _, ...tunnel }) => tunnel), query),
  },
  'DELETE /sessions/:id': { permission: 'instances_end_all', run: endTunnel },
};
