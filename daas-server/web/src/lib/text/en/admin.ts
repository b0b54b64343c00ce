/** Words of the administration, in English. */

import type { Outcome } from '../../api/access';
import type { HostState } from '../../api/hosts';
import type { Change } from '../../diff';
import { inUnits } from '../../quota';
import type { AdminPart } from '../../route';

const PARTS: Record<AdminPart, string> = {
  users: 'Users',
  groups: 'Groups',
  apps: 'Applications',
  sessions: 'Live sessions',
  hosts: 'Hosts',
  audit: 'Audit log',
};

const OUTCOMES: Record<Outcome, string> = { done: 'Done', refused: 'Refused', failed: 'Failed' };

const CHANGES: Record<Change, string> = { added: 'new', removed: 'removed', changed: 'changed', same: 'as before' };

const HOST_STATES: Record<HostState, string> = {
  fine: 'Fine',
  stale: 'Silent',
  unreachable: 'Not reachable',
  unknown: 'Not set up',
};

function ofAll(used: string, all: string | null): string {
  return all === null ? used : `${used} of ${all}`;
}

function gib(mib: number): string {
  return inUnits('memory_mib', mib, 1);
}

function desktops(n: number): string {
  return n === 1 ? '1 desktop' : `${n} desktops`;
}

export const admin = {
  title: 'Administration',
  parts: PARTS,
  notAllowed: 'You are not allowed to see this. Ask an administrator if you need it.',
  more: 'Show more',
  reload: 'Refresh',
  back: 'Back to the list',
  save: 'Save',
  create: 'Create',
  delete: 'Delete',
  edit: 'Edit',
  remove: 'Remove',
  saved: 'Saved.',
  actions: 'Actions',
  never: 'never',
  desktops,

  users: {
    title: 'Users',
    new: 'New user',
    search: 'Search by name',
    none: 'Nobody found.',
    name: 'Name',
    role: 'Role',
    groups: 'Groups',
    source: 'Logs in',
    lastLogin: 'Last log-in',
    desktops: 'Desktops',
    disabled: 'Disabled',
    invited: 'Invited',
    totp: 'Second step',
    you: 'You',
    how: 'First log-in',
    byInvitation: 'Send an invitation link: they choose the password themselves',
    byPassword: 'Set a password now',
    password: 'Password',
    invitation: 'Invitation link',
    invitationFor: (name: string) => `Give this link to ${name}. It works once.`,
    expires: (date: string) => `Good until ${date}.`,
    account: 'Account',
    disable: 'Disabled: cannot log in, and is logged out at once',
    endsSessions: 'A change of the role, of the password or to disabled logs them out everywhere at once.',
    addGroup: 'Add to a group',
    access: 'Access',
    newPassword: 'Set a new password',
    savePassword: 'Set the password',
    passwordSaved: 'The password is set. They are logged out everywhere.',
    removeTotp: 'Remove the second step',
    removeTotpTitle: (name: string) => `Remove the second step of ${name}?`,
    removeTotpText: 'For somebody who lost both phone and recovery codes. Make sure that it is really them who asks.',
    totpRemoved: 'The second step is removed.',
    invite: 'New invitation link',
    inviteText: 'For somebody who forgot the password. They choose a new one with it.',
    endAll: 'Log out everywhere',
    endAllTitle: (name: string) => `Log out ${name} everywhere?`,
    endAllText: 'Their open desktops lose the connection. The desktops themselves go on running.',
    endedAll: 'They are logged out everywhere.',
    deleteOne: 'Delete the user',
    deleteTitle: (name: string) => `Delete ${name}?`,
    deleteText: 'The account, its tokens and its sessions are removed. This cannot be undone.',
    deleteQuestion: (n: number) => `What becomes of their ${desktops(n)}?`,
    deleteWith: 'Delete the desktops too, with everything that was saved in them',
    deleteKeep: 'Keep them: do not delete the user, but disable the account',
    deleteChoose: 'Choose one.',
    disableIt: 'Disable the account',
    deleted: (name: string) => `${name} is deleted.`,
    disabledNow: (name: string) => `${name} is disabled. The desktops are kept.`,
    created: (name: string) => `${name} can log in now.`,
  },

  groups: {
    title: 'Groups',
    new: 'New group',
    none: 'There are no groups yet.',
    name: 'Name',
    about: 'About the group',
    description: 'Description',
    external: 'Names at other services',
    externalHint: 'One a line. Who belongs to such a group in the directory or the other service belongs to this one too.',
    members: 'Members',
    addMember: 'Add somebody',
    saveMembers: 'Save the members',
    membersSaved: 'The members are saved.',
    deleteOne: 'Delete the group',
    deleteTitle: (name: string) => `Delete the group ${name}?`,
    deleteText: 'Its members stay, but lose what the group allowed them.',
    deleted: (name: string) => `The group ${name} is deleted.`,
    quotaHint: 'Applies to each member.',
  },

  chooser: {
    none: 'Nobody and nothing yet.',
    found: (n: number) => (n === 1 ? '1 found' : `${n} found`),
    nothing: 'Nothing found.',
    add: (name: string) => `Add ${name}`,
    remove: (name: string) => `Remove ${name}`,
    placeholder: 'Type a name',
  },

  rules: {
    title: 'Rules',
    lead: 'What they may do beyond or below their role. A rule of the user counts before those of groups, and these before the role. Within one of them “Denied” wins. Rules take nothing from administrators.',
    none: 'No rules: the role decides.',
    permission: 'Permission',
    app: 'Application',
    allApps: 'All',
    effect: 'Effect',
    add: 'Add a rule',
    removeOne: (n: number) => `Remove rule ${n}`,
    save: 'Save the rules',
    saved: 'The rules are saved.',
    gone: 'An application that is gone',
  },

  apps: {
    title: 'Applications',
    lead: 'What one person may have of each application.',
    name: 'Application',
    quota: 'Quota of one person',
    editOne: (name: string) => `Edit the quota of ${name}`,
    none: 'The catalogue is empty.',
  },

  sessions: {
    title: 'Live sessions',
    lead: 'Who looks at a desktop at present.',
    none: 'Nobody looks at a desktop.',
    user: 'User',
    app: 'Application',
    since: 'Since',
    address: 'Address',
    traffic: 'Traffic',
    trafficOf: (received: string, sent: string) => `${received} in, ${sent} out`,
    end: 'End',
    endOne: (name: string, app: string) => `End the session of ${name} on ${app}`,
    endText: 'The connection is closed. The desktop itself goes on running.',
    ended: 'The session is ended.',
  },

  hosts: {
    title: 'Hosts',
    lead: 'Where desktops run, as each host was last seen.',
    states: HOST_STATES,
    drained: 'Being emptied',
    running: (n: number) => `${desktops(n)} running`,
    neverSeen: 'It has not answered yet.',
    lastSeen: (age: string) => `It answered last ${age}.`,
    cpu: 'CPUs promised',
    cpuOf: (used: number, all: number | null) =>
      ofAll(inUnits('cpu_millis', used, 1), all === null ? null : inUnits('cpu_millis', all, 1)),
    memory: 'Memory promised',
    memoryOf: (used: number, all: number | null) => `${ofAll(gib(used), all === null ? null : gib(all))} GiB`,
    nodes: 'Nodes',
    nodeUses: (n: number, used: number, all: number) => `${desktops(n)}, ${gib(used)} of ${gib(all)} GiB`,
    nodeOff: 'off',
    orphans: (n: number) =>
      n === 1 ? 'One desktop on it is known to nobody here.' : `${n} desktops on it are known to nobody here.`,
    drain: 'Drain',
    drainOne: (name: string) => `Drain ${name}`,
    drainText: 'Nothing new is launched or started there. What runs goes on until it is stopped or deleted.',
    drainedNow: (name: string) => `${name} is being emptied.`,
    takeBack: 'Take back',
    takeBackOne: (name: string) => `Take back ${name}`,
    backNow: (name: string) => `${name} takes desktops again.`,
  },

  audit: {
    title: 'Audit log',
    lead: 'Who did what, the newest first.',
    none: 'Nothing found.',
    actor: 'Who',
    action: 'What',
    target: 'To what',
    from: 'From',
    to: 'Until',
    at: 'When',
    outcome: 'Outcome',
    address: 'Address',
    nobody: 'Nobody',
    filter: 'Show',
    clear: 'Show all',
    exportJsonl: 'Export as JSON lines',
    exportCsv: 'Export as CSV',
    details: 'Details',
    detailsOf: (action: string, at: string) => `Details of ${action}, ${at}`,
    outcomes: OUTCOMES,
    field: 'Field',
    before: 'Before',
    after: 'After',
    change: CHANGES,
    nothing: 'empty',
    noDetails: 'Nothing more was recorded.',
  },
};

/** What the server means by its words for errors. */
export const codes: Readonly<Record<string, string>> = {
  last_admin: 'This is the last administrator who can log in. Make somebody else an administrator first.',
  has_desktops: 'They still have desktops. Say what becomes of these, or disable the account instead.',
  yourself: 'You cannot delete your own account. Another administrator can do that.',
};
