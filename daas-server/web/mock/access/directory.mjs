// Users, groups and all that belongs to them, in memory.

import { randomBytes, randomUUID } from 'node:crypto';
import { Refusal, wrongField } from '../http.mjs';
import { Audit } from './audit.mjs';

/**
 * @typedef {{ instances: number | null, cpu_millis: number | null, memory_mib: number | null,
 *   disk_mib: number | null, hours_week: number | null }} Quota
 * @typedef {{ permission: string, app_id: string | null, effect: 'allow' | 'deny' }} Rule
 * @typedef {object} User
 * @property {string} id
 * @property {string} name
 * @property {'user' | 'operator' | 'admin'} role
 * @property {'local' | 'oidc' | 'ldap'} source
 * @property {boolean} disabled
 * @property {string | null} password
 * @property {string | null} totp the secret of the second step
 * @property {string | null} pendingTotp one that was not confirmed
 * @property {string[]} recovery
 * @property {string} created_at
 * @property {string | null} last_login_at
 * @property {Set<string>} groups
 * @property {Rule[]} rules
 * @property {Quota} quota
 * @typedef {object} Group
 * @property {string} id
 * @property {string} name
 * @property {string} description
 * @property {string[]} external
 * @property {string} created_at
 * @property {Rule[]} rules
 * @property {Quota} quota
 */

export const ROLES = ['user', 'operator', 'admin'];
export const DIMENSIONS = /** @type {const} */ (['instances', 'cpu_millis', 'memory_mib', 'disk_mib', 'hours_week']);
const OPERATOR = ['apps_launch', 'instances_read_all', 'instances_end_all', 'hosts_read', 'hosts_manage', 'sessions_read_all'];
export const PERMISSIONS = [...OPERATOR, 'users_manage', 'groups_manage', 'quotas_manage', 'audit_read'];

/** @type {Readonly<Record<string, readonly string[]>>} */
const OF_ROLE = { user: ['apps_launch'], operator: OPERATOR, admin: PERMISSIONS };

/** @returns {Quota} */
export function noLimits() {
  return { instances: null, cpu_millis: null, memory_mib: null, disk_mib: null, hours_week: null };
}

export class Directory {
  constructor() {
    /** @type {Map<string, User>} */
    this.users = new Map();
    /** @type {Map<string, Group>} */
    this.groups = new Map();
    /** @type {Map<string, string>} users by token */
    this.invitations = new Map();
    /** @type {Map<string, { owner: string, id: string, name: string, scopes: string[], created_at: string, expires_at: string, last_used_at: null }>} */
    this.tokens = new Map();
    /** @type {Map<string, Quota>} by application */
    this.appQuotas = new Map();
    /** Of everybody. */
    this.defaultQuota = noLimits();
    this.audit = new Audit();
    for (const [name, password, role] of /** @type {const} */ ([
      ['demo', 'demo', 'user'],
      ['ada', 'lovelace', 'user'],
      ['olga', 'operator', 'operator'],
      ['admin', 'administrator', 'admin'],
    ])) {
      this.addUser({ id: `user-${name}`, name, password, role });
    }
  }

  /** @param {Partial<User> & { name: string }} wanted */
  addUser(wanted) {
    /** @type {User} */
    const user = {
      id: randomUUID(),
      role: 'user',
      source: 'local',
      disabled: false,
      password: null,
      totp: null,
      pendingTotp: null,
      recovery: [],
      created_at: new Date().toISOString(),
      last_login_at: null,
      groups: new Set(),
      rules: [],
      quota: noLimits(),
      ...wanted,
    };
    this.users.set(user.id, user);
    return user;
  }

  /** @param {Partial<Group> & { name: string }} wanted */
  addGroup(wanted) {
    /** @type {Group} */
    const group = {
      id: randomUUID(),
      description: '',
      external: [],
      created_at: new Date().toISOString(),
      rules: [],
      quota: noLimits(),
      ...wanted,
    };
    this.groups.set(group.id, group);
    return group;
  }

  /** @param {string} name */
  byName(name) {
    return [...this.users.values()].find((user) => user.name.toLowerCase() === name.toLowerCase()) ?? null;
  }

  /** @param {string} id */
  user(id) {
    const user = this.users.get(id);
    if (!user) throw new Refusal(404, { detail: 'There is no such user.' });
    return user;
  }

  /** @param {string} id */
  group(id) {
    const group = this.groups.get(id);
    if (!group) throw new Refusal(404, { detail: 'There is no such group.' });
    return group;
  }

  /** @param {string} id */
  membersOf(id) {
    return [...this.users.values()].filter((user) => user.groups.has(id));
  }

  /**
   * Rules of the user come before those of groups, and these before the role; within each "deny" wins.
   * @param {User} user
   */
  permissionsOf(user) {
    if (user.role === 'admin') return PERMISSIONS;
    const levels = [user.rules, [...user.groups].flatMap((id) => this.groups.get(id)?.rules ?? [])];
    return PERMISSIONS.filter((permission) => {
      for (const rules of levels) {
        const effects = rules.filter((rule) => rule.permission === permission && !rule.app_id).map((rule) => rule.effect);
        if (effects.includes('deny')) return false;
        if (effects.includes('allow')) return true;
      }
      return OF_ROLE[user.role]?.includes(permission);
    });
  }

  /**
   * The tightest of all that apply.
   * @param {User} user
   */
  limitsOf(user) {
    const quotas = [this.defaultQuota, user.quota, ...[...user.groups].map((id) => this.group(id).quota)];
    const limits = noLimits();
    for (const dimension of DIMENSIONS) {
      const given = quotas.map((quota) => quota[dimension]).filter((limit) => limit !== null);
      limits[dimension] = given.length === 0 ? null : Math.min(...given);
    }
    return limits;
  }

  /** @param {User} user */
  invite(user) {
    for (const [token, id] of this.invitations) if (id === user.id) this.invitations.delete(token);
    const token = randomBytes(24).toString('base64url');
    this.invitations.set(token, user.id);
    return { token, expires_at: new Date(Date.now() + 3 * 86_400_000).toISOString() };
  }

  /**
   * Names are unique, whatever their case.
   * @param {unknown} name
   * @param {Iterable<{ id: string, name: string }>} others
   * @param {string} [own]
   */
  checkName(name, others, own) {
    if (typeof name !== 'string' || name.trim() === '') throw wrongField('name', 'A name is needed.');
    const taken = [...others].some((other) => other.id !== own && other.name.toLowerCase() === name.toLowerCase());
    if (taken) throw wrongField('name', 'This name is taken. Choose another one.');
    return name;
  }

  /** @param {User} user */
  isLastAdmin(user) {
    const active = [...this.users.values()].filter(({ role, disabled }) => role === 'admin' && !disabled);
    return active.length === 1 && active[0] === user;
  }
}
