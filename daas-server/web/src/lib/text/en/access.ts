/** Words about people, what they may do and how much of it, in English. */

import type { Effect, Permission, Role, Source } from '../../api/access';
import type { Dimension, Quota } from '../../api/quota';
import { inUnits, type Full } from '../../quota';
import type { NameFault, PasswordFault, Strength } from '../../validate';

const ROLES: Record<Role, string> = { user: 'User', operator: 'Operator', admin: 'Administrator' };

const ROLE_HELP: Record<Role, string> = {
  user: 'Launches applications and uses their own desktops.',
  operator: 'Also sees and ends the sessions and desktops of others.',
  admin: 'May do everything, also manage users.',
};

const SOURCES: Record<Source, string> = { local: 'with a password', oidc: 'by another service', ldap: 'by the directory' };

const PERMISSIONS: Record<Permission, string> = {
  apps_launch: 'Launch applications',
  instances_read_all: 'See everybody’s desktops',
  instances_end_all: 'End everybody’s sessions and desktops',
  hosts_read: 'See the hosts',
  hosts_manage: 'Empty hosts and take them back',
  sessions_read_all: 'See who uses which desktop',
  users_manage: 'Manage users',
  groups_manage: 'Manage groups',
  quotas_manage: 'Manage the quotas of applications',
  audit_read: 'Read the audit log',
};

const EFFECTS: Record<Effect, string> = { allow: 'Allowed', deny: 'Denied' };

const DIMENSIONS: Record<Dimension, string> = {
  instances: 'Desktops',
  cpu_millis: 'CPUs',
  memory_mib: 'Memory',
  disk_mib: 'Disk',
  hours_week: 'Hours a week',
};

const UNITS: Record<Dimension, string> = {
  instances: 'a number',
  cpu_millis: 'such as 2 or 0.5',
  memory_mib: 'in GiB',
  disk_mib: 'in GiB',
  hours_week: 'of all desktops, in any seven days',
};

const NAME_FAULTS: Record<NameFault, string> = {
  empty: 'Enter a name.',
  long: 'That name is too long: 100 characters at most.',
};

const PASSWORD_FAULTS: Record<PasswordFault, string> = {
  short: 'That is too short: 8 characters at least.',
  long: 'That is too long: 1024 characters at most.',
  different: 'The two passwords are not the same.',
};

const STRENGTHS: Record<Strength, string> = {
  short: '8 characters at least. Four or five words are easy to remember and hard to guess.',
  fair: 'Long enough. A few more characters make it much harder to guess.',
  good: 'Good length.',
  strong: 'Very good length.',
};

/** An amount such as "1.5 CPUs" or "2 GiB". */
export function amount(dimension: Dimension, value: number): string {
  const number = inUnits(dimension, value, 2);
  switch (dimension) {
    case 'instances':
      return number === '1' ? '1 desktop' : `${number} desktops`;
    case 'cpu_millis':
      return number === '1' ? '1 CPU' : `${number} CPUs`;
    case 'memory_mib':
    case 'disk_mib':
      return `${number} GiB`;
    case 'hours_week':
      return `${number} h`;
  }
}

function used(dimension: Dimension, value: number, limit: number): string {
  return `${inUnits(dimension, value, 2)} of ${amount(dimension, limit)}`;
}

/** Why there is no launching, and what to do. */
function full({ dimension, limit, ofApp }: Full): string {
  const most = amount(dimension, limit);
  if (limit === 0) return ofApp ? 'You may not launch this.' : 'You may not launch anything at present.';
  switch (dimension) {
    case 'instances':
      return ofApp
        ? `You have as many of this as you may (${limit}). Delete one first.`
        : `You have as many as you may (${most}). Delete one first.`;
    case 'hours_week':
      return `Your hours of the last seven days are used up (${most}). Try again later.`;
    default:
      return `Your desktops use all that you may have (${DIMENSIONS[dimension]}: ${most}). Stop or delete one first.`;
  }
}

const NO_LIMIT = 'No limit';

/** All limits in one line. */
function limitsInShort(quota: Quota): string {
  const parts = (Object.keys(DIMENSIONS) as Dimension[]).flatMap((dimension) => {
    const limit = quota[dimension];
    if (limit === null) return [];
    const words = amount(dimension, limit);
    if (dimension === 'memory_mib') return [`${words} memory`];
    if (dimension === 'disk_mib') return [`${words} disk`];
    return [dimension === 'hours_week' ? `${words} a week` : words];
  });
  return parts.length === 0 ? NO_LIMIT : parts.join(', ');
}

export const access = {
  role: ROLES,
  roleHelp: ROLE_HELP,
  source: SOURCES,
  permission: PERMISSIONS,
  effect: EFFECTS,
  nameFault: NAME_FAULTS,
  passwordFault: PASSWORD_FAULTS,
  strength: STRENGTHS,
  newPassword: 'New password',
  repeatPassword: 'New password again',
};

export const quota = {
  title: 'Quota',
  dimension: DIMENSIONS,
  unit: UNITS,
  amount,
  used,
  full,
  limitsInShort,
  noLimit: NO_LIMIT,
  empty: 'Left empty: no limit from here. Where several limits apply, the tightest counts.',
  wrong: 'Enter a number, or nothing for no limit.',
  save: 'Save the quota',
  saved: 'The quota is saved.',
  outOf: (n: number, limit: number) => `${n} of ${limit === 1 ? '1 desktop' : `${limit} desktops`}`,
  outOfApp: (n: number, limit: number) => `${n} of ${limit}`,
};
