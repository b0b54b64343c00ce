/** Who there is and what they may do, and how it is read from JSON. */

import { count, fields, flag, known, list, optionalText, optionalTime, text, texts, time, word, type Fields } from './decode';
import { readQuota, type Quota } from './quota';

export const ROLES = ['user', 'operator', 'admin'] as const;
export const SOURCES = ['local', 'oidc', 'ldap'] as const;
export const EFFECTS = ['allow', 'deny'] as const;
export const PERMISSIONS = [
  'apps_launch',
  'instances_read_all',
  'instances_end_all',
  'hosts_read',
  'hosts_manage',
  'sessions_read_all',
  'users_manage',
  'groups_manage',
  'quotas_manage',
  'audit_read',
] as const;
const OUTCOMES = ['done', 'refused', 'failed'] as const;

export type Role = (typeof ROLES)[number];
/** Who vouches for the name and the password. */
export type Source = (typeof SOURCES)[number];
export type Permission = (typeof PERMISSIONS)[number];
export type Effect = (typeof EFFECTS)[number];
export type Outcome = (typeof OUTCOMES)[number];

export interface Named {
  readonly id: string;
  readonly name: string;
}

/** Somebody who can log in, as administrators see them. */
export interface Account extends Named {
  readonly role: Role;
  readonly source: Source;
  readonly disabled: boolean;
  readonly hasPassword: boolean;
  readonly totpEnabled: boolean;
  readonly createdAt: number;
  readonly lastLoginAt: number | null;
  readonly groups: readonly Named[];
  /** How many desktops and applications they have. */
  readonly instances: number;
}

export interface Rule {
  /** A `Permission`, or one that this page is too old for. */
  readonly permission: string;
  /** For one application only, or `null` for all. */
  readonly appId: string | null;
  readonly effect: Effect;
}

export interface Limits {
  readonly rules: readonly Rule[];
  readonly quota: Quota;
}

export interface AccountDetail extends Account, Limits {}

export interface Group extends Named {
  readonly description: string;
  /** Names at other services whose members belong to it. */
  readonly external: readonly string[];
  readonly members: number;
  readonly createdAt: number;
}

export interface GroupDetail extends Group, Limits {
  readonly users: readonly Named[];
}

export interface Invitation {
  readonly url: string;
  readonly expiresAt: number;
}

/** A desktop that somebody looks at now. */
export interface LiveSession {
  readonly id: string;
  readonly user: Named;
  readonly app: Named;
  readonly since: number;
  readonly address: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface AuditEntry {
  readonly seq: number;
  readonly at: number;
  readonly actor: string;
  readonly address: string;
  readonly action: string;
  readonly targetKind: string;
  readonly targetId: string;
  readonly target: string;
  readonly outcome: Outcome;
  readonly before: unknown;
  readonly after: unknown;
}

function readNamed(value: unknown, path: string): Named {
  const from = fields(value, path);
  return { id: text(from, 'id', path), name: text(from, 'name', path) };
}

function people(from: Fields, name: string, path: string): Named[] {
  return list(from[name] ?? [], `${path}.${name}`, readNamed);
}

export function readAccount(value: unknown, path = 'user'): Account {
  const from = fields(value, path);
  return {
    ...readNamed(value, path),
    role: word(from['role'], ROLES, 'user'),
    source: word(from['source'], SOURCES, 'local'),
    disabled: flag(from, 'disabled'),
    hasPassword: flag(from, 'has_password'),
    totpEnabled: flag(from, 'totp_enabled'),
    createdAt: time(from, 'created_at', path),
    lastLoginAt: optionalTime(from, 'last_login_at', path),
    groups: people(from, 'groups', path),
    instances: count(from, 'instances', path),
  };
}

function readRule(value: unknown, path: string): Rule {
  const from = fields(value, path);
  return {
    permission: text(from, 'permission', path),
    appId: optionalText(from, 'app_id') || null,
    effect: word(from['effect'], EFFECTS, 'deny'),
  };
}

export function readRules(value: unknown): Rule[] {
  return list(fields(value, 'rules')['items'], 'rules.items', readRule);
}

function readLimits(from: Fields, path: string): Limits {
  return {
    rules: list(from['rules'] ?? [], `${path}.rules`, readRule),
    quota: readQuota(from['quota'], `${path}.quota`),
  };
}

export function readAccountDetail(value: unknown): AccountDetail {
  return { ...readAccount(value), ...readLimits(fields(value, 'user'), 'user') };
}

export function readGroup(value: unknown, path = 'group'): Group {
  const from = fields(value, path);
  return {
    ...readNamed(value, path),
    description: optionalText(from, 'description'),
    external: texts(from, 'external'),
    members: count(from, 'members', path),
    createdAt: time(from, 'created_at', path),
  };
}

export function readGroupDetail(value: unknown): GroupDetail {
  const from = fields(value, 'group');
  return { ...readGroup(value), ...readLimits(from, 'group'), users: people(from, 'users', 'group') };
}

export function readInvitation(value: unknown): Invitation {
  const from = fields(value, 'invitation');
  return { url: text(from, 'url', 'invitation'), expiresAt: time(from, 'expires_at', 'invitation') };
}

/** Somebody new, and how they are invited where they have no password. */
export function readCreated(value: unknown): { user: Account; invitation: Invitation | null } {
  const from = fields(value, 'created');
  const invitation = from['invitation'] ?? null;
  return { user: readAccount(from['user']), invitation: invitation === null ? null : readInvitation(invitation) };
}

export function readLiveSession(value: unknown, path: string): LiveSession {
  const from = fields(value, path);
  return {
    id: text(from, 'id', path),
    user: readNamed(from['user'], `${path}.user`),
    app: readNamed(from['app'], `${path}.app`),
    since: time(from, 'since', path),
    address: optionalText(from, 'address'),
    bytesIn: count(from, 'bytes_in', path),
    bytesOut: count(from, 'bytes_out', path),
  };
}

export function readAuditEntry(value: unknown, path: string): AuditEntry {
  const from = fields(value, path);
  return {
    seq: count(from, 'seq', path),
    at: time(from, 'at', path),
    actor: optionalText(from, 'actor'),
    address: optionalText(from, 'address'),
    action: text(from, 'action', path),
    targetKind: optionalText(from, 'target_kind'),
    targetId: optionalText(from, 'target_id'),
    target: optionalText(from, 'target'),
    outcome: word(from['outcome'], OUTCOMES, 'failed'),
    before: from['before'] ?? null,
    after: from['after'] ?? null,
  };
}

/** The permissions of somebody who logged in. */
export function readPermissions(from: Fields): Permission[] {
  return known(from, 'permissions', PERMISSIONS);
}
