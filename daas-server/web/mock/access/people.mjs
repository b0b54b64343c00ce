// Routes for users and groups.

import { part, Refusal, wrongField } from '../http.mjs';
import { DIMENSIONS, PERMISSIONS, ROLES } from './directory.mjs';
import { groupDetail, groupView, userDetail, userView } from './views.mjs';

/**
 * @typedef {import('./routes.mjs').Call} Call
 * @typedef {import('./routes.mjs').Route} Route
 */

const manageUsers = 'users_manage';
const manageGroups = 'groups_manage';

/** @param {unknown} role */
function checkRole(role) {
  if (!ROLES.includes(String(role))) throw wrongField('role', 'There is no such role.');
  return /** @type {import('./directory.mjs').User['role']} */ (role);
}

/** @param {unknown} password */
function checkPassword(password) {
  if (typeof password !== 'string' || password.length < 8) throw wrongField('password', 'At least 8 characters.');
  return password;
}

/** @param {any} quota */
export function checkQuota(quota) {
  for (const dimension of DIMENSIONS) {
    const limit = quota[dimension];
    if (limit !== null && !(Number.isInteger(limit) && limit >= 0)) throw wrongField(dimension, 'A whole number, or null.');
  }
  return quota;
}

/** @param {any} body */
function checkRules(body) {
  for (const rule of body.items) {
    if (!PERMISSIONS.includes(rule.permission)) throw wrongField('permission', 'There is no such permission.');
    if (rule.app_id !== null && rule.permission !== 'apps_launch') throw wrongField('app_id', 'Only for launching.');
  }
  return body.items;
}

/** @param {Call} call */
function audit({ mock, user, id }, action = '', target = '', before = null, after = null, kind = 'user') {
  mock.directory.audit.add({ actor_id: user.id, actor: user.name, action, target_kind: kind, target_id: id, target, before, after });
}

/**
 * @param {Call} call
 * @param {string} token
 */
const linkTo = ({ mock }, token) => `${mock.url}/#/invitation/${token}`;

/** @param {Call} call */
function listUsers({ mock, query }) {
  const q = (query.get('q') ?? '').toLowerCase();
  const found = [...mock.directory.users.values()].filter((user) => user.name.toLowerCase().includes(q));
  const { items, next_cursor } = part(found, query);
  return { items: items.map((user) => userView(mock, user)), next_cursor };
}

/** @param {Call} call */
function createUser(call) {
  const { mock, body } = call;
  const { directory } = mock;
  const name = directory.checkName(body.name, directory.users.values());
  const password = body.password === undefined ? null : checkPassword(body.password);
  const groups = new Set(/** @type {string[]} */ (body.group_ids ?? []).map((id) => directory.group(id).id));
  const user = directory.addUser({ name, role: checkRole(body.role), password, groups });
  const view = userView(mock, user);
  audit({ ...call, id: user.id }, 'user.create', name, null, /** @type {any} */ (view));
  if (password !== null) return { user: view, invitation: null };
  const { token, expires_at } = directory.invite(user);
  return { user: view, invitation: { url: linkTo(call, token), token, expires_at } };
}

/** @param {Call} call */
function changeUser(call) {
  const { mock, body } = call;
  const { directory } = mock;
  const target = directory.user(call.id);
  const loses = body.disabled === true || (body.role !== undefined && body.role !== 'admin');
  if (loses && directory.isLastAdmin(target)) throw new Refusal(409, { code: 'last_admin' });
  const before = userView(mock, target);
  if (body.name !== undefined) target.name = directory.checkName(body.name, directory.users.values(), target.id);
  if (body.role !== undefined) target.role = checkRole(body.role);
  if (body.disabled !== undefined) target.disabled = body.disabled;
  if (body.password !== undefined) target.password = checkPassword(body.password);
  if (body.group_ids !== undefined) target.groups = new Set(body.group_ids);
  if (body.totp === false) target.totp = null;
  if (body.disabled || body.role !== undefined || body.password !== undefined) mock.endSessionsOf(target.id);
  const after = userView(mock, target);
  audit(call, 'user.change', target.name, /** @type {any} */ (before), /** @type {any} */ (after));
  return after;
}

/** @param {Call} call */
function deleteUser(call) {
  const { mock, query, user } = call;
  const target = mock.directory.user(call.id);
  if (target === user) throw new Refusal(409, { code: 'yourself' });
  if (mock.directory.isLastAdmin(target)) throw new Refusal(409, { code: 'last_admin' });
  const desktops = mock.instances.of(target.id);
  if (desktops.length > 0 && query.get('desktops') !== 'delete') throw new Refusal(409, { code: 'has_desktops' });
  for (const instance of desktops) mock.instances.set(instance, 'deleted');
  mock.endSessionsOf(target.id);
  mock.directory.users.delete(target.id);
  audit(call, 'user.delete', target.name);
}

/** @param {Call} call */
function invite(call) {
  const { token, expires_at } = call.mock.directory.invite(call.mock.directory.user(call.id));
  return { url: linkTo(call, token), token, expires_at };
}

/** @param {Call} call */
function listGroups({ mock, query }) {
  const { items, next_cursor } = part([...mock.directory.groups.values()], query);
  return { items: items.map((group) => groupView(mock, group)), next_cursor };
}

/** @param {Call} call */
function createGroup(call) {
  const { mock, body } = call;
  const name = mock.directory.checkName(body.name, mock.directory.groups.values());
  const group = mock.directory.addGroup({ name, description: body.description ?? '', external: body.external ?? [] });
  audit({ ...call, id: group.id }, 'group.create', name, null, null, 'group');
  return groupView(mock, group);
}

/** @param {Call} call */
function changeGroup({ mock, body, id }) {
  const group = mock.directory.group(id);
  if (body.name !== undefined) mock.directory.checkName(body.name, mock.directory.groups.values(), id);
  Object.assign(group, body);
  return groupView(mock, group);
}

/** @param {Call} call */
function deleteGroup({ mock, id }) {
  mock.directory.group(id);
  for (const user of mock.directory.membersOf(id)) user.groups.delete(id);
  mock.directory.groups.delete(id);
}

/** @param {Call} call */
function setMembers({ mock, body, id }) {
  for (const user of mock.directory.users.values()) user.groups.delete(id);
  for (const user of body.user_ids) mock.directory.user(user).groups.add(id);
  return groupView(mock, mock.directory.group(id));
}

/** @param {(call: Call) => { quota: import('./directory.mjs').Quota }} find */
const quotaOf = (find) => (/** @type {Call} */ call) => (find(call).quota = checkQuota(call.body));

/** @param {(call: Call) => { rules: import('./directory.mjs').Rule[] }} find */
const rulesOf = (find) => (/** @type {Call} */ call) => ({ items: (find(call).rules = checkRules(call.body)) });

const theUser = (/** @type {Call} */ { mock, id }) => mock.directory.user(id);
const theGroup = (/** @type {Call} */ { mock, id }) => mock.directory.group(id);

const USER_FIELDS = ['name', 'role', 'password', 'group_ids'];
const GROUP_FIELDS = ['name', 'description', 'external'];

/** @type {Record<string, Route>} */
export const PEOPLE = {
  'GET /users': { permission: manageUsers, run: listUsers },
  'POST /users': { permission: manageUsers, fields: USER_FIELDS, status: 201, run: createUser },
  'GET /users/:id': { permission: manageUsers, run: (call) => userDetail(call.mock, theUser(call)) },
  'PATCH /users/:id': { permission: manageUsers, fields: [...USER_FIELDS, 'disabled', 'totp'], run: changeUser },
  'DELETE /users/:id': { permission: manageUsers, run: deleteUser },
  'POST /users/:id/invitation': { permission: manageUsers, run: invite },
  'DELETE /users/:id/sessions': { permission: manageUsers, run: ({ mock, id }) => mock.endSessionsOf(id) },
  'PUT /users/:id/quota': { permission: manageUsers, fields: [...DIMENSIONS], run: quotaOf(theUser) },
  'PUT /users/:id/rules': { permission: manageUsers, fields: ['items'], run: rulesOf(theUser) },
  'GET /groups': { permission: manageGroups, run: listGroups },
  'POST /groups': { permission: manageGroups, fields: GROUP_FIELDS, status: 201, run: createGroup },
  'GET /groups/:id': { permission: manageGroups, run: (call) => groupDetail(call.mock, theGroup(call)) },
  'PATCH /groups/:id': { permission: manageGroups, fields: GROUP_FIELDS, run: changeGroup },
  'DELETE /groups/:id': { permission: manageGroups, run: deleteGroup },
  'PUT /groups/:id/members': { permission: manageGroups, fields: ['user_ids'], run: setMembers },
  'PUT /groups/:id/quota': { permission: manageGroups, fields: [...DIMENSIONS], run: quotaOf(theGroup) },
  'PUT /groups/:id/rules': { permission: manageGroups, fields: ['items'], run: rulesOf(theGroup) },
};
