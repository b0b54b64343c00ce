// Users and groups as JSON shows them.

/**
 * @typedef {import('../server.mjs').Mock} Mock
 * @typedef {import('./directory.mjs').User} User
 * @typedef {import('./directory.mjs').Group} Group
 */

/** @param {{ id: string, name: string }} of */
const named = ({ id, name }) => ({ id, name });

/**
 * @param {Mock} mock
 * @param {User} user
 */
export function userView(mock, user) {
  const { id, name, role, source, disabled, created_at, last_login_at } = user;
  return {
    id,
    name,
    role,
    source,
    disabled,
    has_password: user.password !== null,
    totp_enabled: user.totp !== null,
    created_at,
    last_login_at,
    groups: [...user.groups].map((group) => named(mock.directory.group(group))),
    instances: mock.instances.of(id).length,
  };
}

/**
 * @param {Mock} mock
 * @param {User} user
 */
export function userDetail(mock, user) {
  return { ...userView(mock, user), rules: user.rules, quota: user.quota };
}

/**
 * @param {Mock} mock
 * @param {Group} group
 */
export function groupView(mock, group) {
  const { id, name, description, external, created_at } = group;
  return { id, name, description, external, created_at, members: mock.directory.membersOf(id).length };
}

/**
 * @param {Mock} mock
 * @param {Group} group
 */
export function groupDetail(mock, group) {
  const users = mock.directory.membersOf(group.id).map(named);
  return { ...groupView(mock, group), users, rules: group.rules, quota: group.quota };
}

/**
 * @param {Mock} mock
 * @param {import('../server.mjs').Session} session
 */
export function sessionView(mock, session) {
  const user = mock.directory.user(session.user);
  const { id, name, role, source } = user;
  const permissions = mock.directory.permissionsOf(user);
  return { user: { id, name, role, source, totp_enabled: user.totp !== null, permissions }, csrf_token: session.csrf_token };
}

/**
 * What is used is reckoned from the number of instances: the mock has no machines.
 * @param {number} n
 */
function used(n) {
  return { instances: n, cpu_millis: n * 1000, memory_mib: n * 2048, disk_mib: n * 4096, hours_week: n * 1.5 };
}

/**
 * @param {Mock} mock
 * @param {User} user
 */
export function ownQuota(mock, user) {
  const own = mock.instances.of(user.id);
  const apps = [...mock.directory.appQuotas].map(([app_id, limits]) => ({
    app_id,
    limits,
    used: used(own.filter((instance) => instance.app.id === app_id).length),
  }));
  return { limits: mock.directory.limitsOf(user), used: used(own.length), apps };
}
