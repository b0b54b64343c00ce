/** Words of logging in by other ways, of invitations and of the own profile, in English. */

import type { Scope } from '../../api/profile';
import type { SignOnError } from '../../route';

const SIGN_ON_ERRORS: Record<SignOnError, string> = {
  denied: 'The other service did not let you in. Try again, or ask an administrator for access.',
  expired: 'That took too long. Try again.',
  failed: 'The other service could not be asked. Try again in a moment, or log in another way.',
  disabled: 'Your account is disabled. Ask an administrator.',
  unknown: 'Logging in by the other service did not work. Try again, or ask an administrator.',
};

const SCOPES: Record<Scope, string> = {
  apps_read: 'Read the catalogue',
  instances_read: 'See desktops',
  instances_write: 'Launch, change and delete desktops',
  users_read: 'See users and groups',
  users_write: 'Change users and groups',
  audit_read: 'Read the audit log',
  hosts_read: 'See the hosts',
  hosts_write: 'Empty hosts and take them back',
};

export const secondStep = {
  title: 'One more step',
  lead: 'Enter the code that your authenticator app shows.',
  code: 'Code',
  hint: 'No phone at hand? One of your recovery codes does as well.',
  submit: 'Go on',
  back: 'Start again',
  wrong: 'That code is wrong or too old. Wait for the next one and try again.',
  missing: 'Enter a code.',
};

export const signOn = {
  or: 'or',
  with: (name: string) => `Log in with ${name}`,
  error: SIGN_ON_ERRORS,
};

export const invitation = {
  title: 'Welcome',
  lead: 'Choose a password. You are logged in with it at once.',
  submit: 'Set the password and log in',
  gone: 'This invitation was used already, or it is too old. Ask an administrator for a new one.',
  leave: 'Not now',
};

export const once = {
  copy: 'Copy',
  copied: 'Copied.',
  notCopied: 'This browser does not allow it. Mark the text and copy it.',
  download: 'Save as a file',
  onlyNow: 'This is shown only now. Keep it in a safe place.',
  done: 'I have kept it',
};

export const profile = {
  title: 'Profile',
  loggedIn: (name: string, role: string) => `${name} · ${role}`,
  elsewhere: {
    local: '',
    oidc: 'You log in by another service. Your password and the second step are managed there.',
    ldap: 'Your name and password come from your organisation’s directory. Change the password there.',
  },

  password: {
    title: 'Password',
    lead: 'You stay logged in here. All other browsers are logged out.',
    current: 'Present password',
    wrong: 'The present password is wrong.',
    missing: 'Enter your present password.',
    save: 'Change the password',
    saved: 'The password is changed. All other browsers are logged out.',
  },

  totp: {
    title: 'Second step',
    off: 'Off. With it, logging in takes a code from your phone besides the password.',
    on: 'On. Logging in takes a code from your authenticator app.',
    begin: 'Set it up',
    disable: 'Switch it off',
    password: 'Password',
    passwordWhy: 'To be sure that it is you.',
    wrong: 'The password is wrong.',
    scan: 'Scan this with an authenticator app on your phone.',
    qr: 'QR code for the authenticator app',
    secret: 'Or type this into the app',
    code: 'Code that the app shows',
    confirm: 'Switch it on',
    wrongCode: 'That code is wrong or too old. Wait for the next one and try again. The clock of the phone must be right.',
    codes: 'Recovery codes',
    codesLead: 'Each lets you in once when you have no phone at hand.',
    file: 'recovery-codes.txt',
    switchedOn: 'The second step is on.',
    switchedOff: 'The second step is off.',
  },

  logins: {
    title: 'Where you are logged in',
    lead: 'End what you do not know, and change your password then.',
    this: 'This one',
    device: 'Browser',
    address: 'Address',
    used: 'Last used',
    since: (date: string) => `since ${date}`,
    end: 'Log out',
    endThat: (device: string) => `Log out ${device}`,
    endOthers: 'Log out all others',
    ended: 'It is logged out.',
    endedOthers: 'All others are logged out.',
    empty: 'No other browsers.',
    unknown: 'Unknown browser',
  },

  tokens: {
    title: 'API tokens',
    lead: 'For programs that work in your name. A token can do what you choose here, and never more than you may yourself.',
    create: 'New token',
    name: 'What it is for',
    scopes: 'What it may do',
    noScope: 'Choose at least one.',
    days: 'Good for how many days',
    daysHint: '1 to 366. After that it stops working.',
    wrongDays: 'Enter a number from 1 to 366.',
    made: 'The token',
    empty: 'You have no tokens.',
    expires: 'Good until',
    lastUsed: 'Last used',
    never: 'never',
    deleteOne: (name: string) => `Delete the token ${name}`,
    deleteTitle: (name: string) => `Delete the token ${name}?`,
    deleteText: 'Programs that use it stop working at once.',
    deleted: 'The token is deleted.',
    scope: SCOPES,
  },

  quota: {
    title: 'What you may use',
    none: 'Nothing is limited for you.',
    ofApp: (name: string) => `Of ${name}`,
  },
};
