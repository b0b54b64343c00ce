/** What administrators and operators may do about others. */

import {
  readAccount,
  readAccountDetail,
  readAuditEntry,
  readCreated,
  readGroup,
  readGroupDetail,
  readInvitation,
  readLiveSession,
  readRules,
  type Account,
  type AccountDetail,
  type AuditEntry,
  type Group,
  type GroupDetail,
  type Invitation,
  type LiveSession,
  type Role,
  type Rule,
} from './access';
import { BASE, type Client } from './client';
import { page, type Page } from './decode';
import { readHost, type Host } from './hosts';
import { readQuota, type Quota } from './quota';

/** Whom or what limits and rules belong to. */
export interface Subject {
  readonly kind: 'users' | 'groups' | 'apps';
  readonly id: string;
}

export interface NewAccount {
  readonly name: string;
  readonly role: Role;
  readonly password?: string;
  readonly group_ids?: readonly string[];
}

export interface AccountChange {
  readonly name?: string;
  readonly role?: Role;
  readonly disabled?: boolean;
  readonly password?: string;
  readonly group_ids?: readonly string[];
  /** Takes the second step of the log-in away. */
  readonly totp?: false;
}

export interface GroupChange {
  readonly name?: string;
  readonly description?: string;
  readonly external?: readonly string[];
}

/** What is looked for in the audit log; times in RFC 3339, empty is everything. */
export interface AuditFilter {
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly from: string;
  readonly to: string;
}

/** A path with parameters; those that are empty are left out. */
export function withQuery(path: string, parameters: Readonly<Record<string, string | null>>): string {
  const filled = Object.entries(parameters).filter((entry): entry is [string, string] => !!entry[1]);
  return filled.length === 0 ? path : `${path}?${new URLSearchParams(filled).toString()}`;
}

export function exportUrl(format: 'jsonl' | 'csv', filter: AuditFilter): string {
  return BASE + withQuery('/audit/export', { format, ...filter });
}

export class AdminApi {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  users(q: string, cursor: string | null, limit = '50'): Promise<Page<Account>> {
    const path = withQuery('/users', { limit, cursor, q });
    return this.#client.ask(page(readAccount), { method: 'GET', path });
  }

  user(id: string): Promise<AccountDetail> {
    return this.#client.ask(readAccountDetail, { method: 'GET', path: pathOf({ kind: 'users', id }) });
  }

  createUser(body: NewAccount): Promise<{ user: Account; invitation: Invitation | null }> {
    return this.#client.ask(readCreated, { method: 'POST', path: '/users', body });
  }

  changeUser(id: string, body: AccountChange): Promise<Account> {
    return this.#client.ask(readAccount, { method: 'PATCH', path: pathOf({ kind: 'users', id }), body });
  }

  deleteUser(id: string, withDesktops: boolean): Promise<void> {
    const path = withQuery(pathOf({ kind: 'users', id }), { desktops: withDesktops ? 'delete' : null });
    return this.#client.tell({ method: 'DELETE', path });
  }

  invite(id: string): Promise<Invitation> {
    const path = `${pathOf({ kind: 'users', id })}/invitation`;
    return this.#client.ask(readInvitation, { method: 'POST', path });
  }

  logOutEverywhere(id: string): Promise<void> {
    return this.#client.tell({ method: 'DELETE', path: `${pathOf({ kind: 'users', id })}/sessions` });
  }

  groups(cursor: string | null): Promise<Page<Group>> {
    return this.#client.ask(page(readGroup), { method: 'GET', path: withQuery('/groups', { cursor }) });
  }

  group(id: string): Promise<GroupDetail> {
    return this.#client.ask(readGroupDetail, { method: 'GET', path: pathOf({ kind: 'groups', id }) });
  }

  createGroup(body: GroupChange): Promise<Group> {
    return this.#client.ask(readGroup, { method: 'POST', path: '/groups', body });
  }

  changeGroup(id: string, body: GroupChange): Promise<Group> {
    return this.#client.ask(readGroup, { method: 'PATCH', path: pathOf({ kind: 'groups', id }), body });
  }

  deleteGroup(id: string): Promise<void> {
    return this.#client.tell({ method: 'DELETE', path: pathOf({ kind: 'groups', id }) });
  }

  setMembers(id: string, userIds: readonly string[]): Promise<Group> {
    const path = `${pathOf({ kind: 'groups', id })}/members`;
    return this.#client.ask(readGroup, { method: 'PUT', path, body: { user_ids: userIds } });
  }

  setQuota(subject: Subject, body: Quota): Promise<Quota> {
    return this.#client.ask(readQuota, { method: 'PUT', path: `${pathOf(subject)}/quota`, body });
  }

  setRules(subject: Subject, rules: readonly Rule[]): Promise<Rule[]> {
    const items = rules.map(({ permission, appId, effect }) => ({ permission, app_id: appId, effect }));
    return this.#client.ask(readRules, { method: 'PUT', path: `${pathOf(subject)}/rules`, body: { items } });
  }

  sessions(cursor: string | null): Promise<Page<LiveSession>> {
    return this.#client.ask(page(readLiveSession), { method: 'GET', path: withQuery('/sessions', { cursor }) });
  }

  endSession(id: string): Promise<void> {
    return this.#client.tell({ method: 'DELETE', path: `/sessions/${encodeURIComponent(id)}` });
  }

  hosts(cursor: string | null): Promise<Page<Host>> {
    return this.#client.ask(page(readHost), { method: 'GET', path: withQuery('/hosts', { cursor }) });
  }

  drainHost(name: string, drained: boolean): Promise<Host> {
    const path = `/hosts/${encodeURIComponent(name)}`;
    return this.#client.ask(readHost, { method: 'PATCH', path, body: { drained } });
  }

  audit(filter: AuditFilter, cursor: string | null): Promise<Page<AuditEntry>> {
    const path = withQuery('/audit', { limit: '50', cursor, ...filter });
    return this.#client.ask(page(readAuditEntry), { method: 'GET', path });
  }
}

function pathOf({ kind, id }: Subject): string {
  return `/${kind}/${encodeURIComponent(id)}`;
}
