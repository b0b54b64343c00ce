/** What of the administration somebody may see, and what they change. */

import type { Named, Permission, Role } from './api/access';
import type { AccountChange } from './api/admin';
import type { AdminPart } from './route';

export const PERMISSION_OF: Record<AdminPart, Permission> = {
  users: 'users_manage',
  groups: 'groups_manage',
  apps: 'quotas_manage',
  sessions: 'sessions_read_all',
  hosts: 'hosts_read',
  audit: 'audit_read',
};

export interface AccountDraft {
  readonly name: string;
  readonly role: Role;
  readonly disabled: boolean;
  readonly groups: readonly Named[];
}

/** Only what differs is sent: each change of a role ends sessions. */
export function changesOf(user: AccountDraft, draft: AccountDraft): AccountChange {
  const ids = draft.groups.map(({ id }) => id);
  return {
    ...(draft.name === user.name ? {} : { name: draft.name }),
    ...(draft.role === user.role ? {} : { role: draft.role }),
    ...(draft.disabled === user.disabled ? {} : { disabled: draft.disabled }),
    ...(sameIds(ids, user.groups) ? {} : { group_ids: ids }),
  };
}

function sameIds(ids: readonly string[], named: readonly Named[]): boolean {
  return ids.length === named.length && named.every(({ id }) => ids.includes(id));
}
