/**
 * All words of the page in English, some of them in files under `en/`. Another language is a
 * file like this one, of the type `Texts`, entered in `index.ts`.
 */

import type { ApiError } from '../api/error';
import type { Action, AppKind, Ending, EndingReason, InstanceState } from '../api/types';
import type { EndReason } from '../guac/status';
import type { Grade } from '../guac/quality';
import type { StepId } from '../steps';
import { access, quota } from './en/access';
import { admin, codes } from './en/admin';
import { details } from './en/details';
import { invitation, once, profile, secondStep, signOn } from './en/profile';

const STATES: Record<InstanceState, string> = {
  requested: 'Requested',
  starting: 'Starting',
  running: 'Running',
  suspending: 'Suspending',
  suspended: 'Suspended',
  resuming: 'Resuming',
  stopping: 'Stopping',
  stopped: 'Stopped',
  deleting: 'Deleting',
  deleted: 'Deleted',
  failed: 'Failed',
  unknown: 'State unknown',
};

const ACTIONS: Record<Action, string> = {
  start: 'Start',
  stop: 'Stop',
  suspend: 'Suspend',
  resume: 'Resume',
  delete: 'Delete',
};

const DONE: Record<Ending, string> = { suspend: 'suspended', stop: 'stopped', delete: 'deleted' };

const BECAUSE: Record<EndingReason, string> = {
  disconnect: 'nobody looks at it',
  idle: 'it is not being used',
  lifetime: 'its time is over then',
};

const KINDS: Record<AppKind, string> = { desktop: 'Desktop', application: 'Application' };

const STEPS: Record<StepId, string> = {
  image: 'Prepare the image',
  container: 'Start the machine',
  desktop: 'Wait for the desktop to answer',
  resume: 'Wake it up',
  connect: 'Connect',
};

const GRADES: Record<Grade, string> = {
  unknown: 'Measuring…',
  good: 'Good',
  slow: 'Slow',
  unstable: 'Unstable',
};

/** Why a connection ended, and where it helps, what to do. */
const ENDS: Record<EndReason, string> = {
  lost: 'The connection to the server was lost. Check your network.',
  busy: 'The server has no room for a connection at present.',
  internal: 'Something went wrong on the server.',
  no_answer: 'The desktop does not answer.',
  desktop_closed: 'The desktop closed the connection.',
  not_found: 'The desktop could not be reached.',
  refused: 'The desktop refuses connections at present.',
  taken_over: 'This desktop was opened in another window or on another device.',
  idle: 'The connection was closed because nothing was done for a long time.',
  ended: 'The session was ended.',
  not_allowed: 'The server did not allow this connection.',
  too_slow: 'The connection was too slow, and the server closed it.',
  bad_request: 'The server did not understand this page. Reload it and try again.',
  too_many: 'Too many connections are open. Close one and try again.',
  unsupported: 'The desktop uses something that this page cannot show.',
  finished: 'The desktop ended the session.',
};

function seconds(s: number): string {
  return `${s} s`;
}

/** A span of time such as "2 min 5 s". */
function duration(totalSeconds: number): string {
  const s = Math.max(0, Math.ceil(totalSeconds));
  if (s < 60) return seconds(s);
  const minutes = Math.floor(s / 60);
  if (minutes < 60) return s % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds(s % 60)}`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

/** What an error means, in plain words: those of the server where it gave some. */
function problem(error: ApiError): string {
  if (error.kind === 'network') return 'The server cannot be reached. Check your network and try again.';
  if (error.kind === 'timeout') return 'The server did not answer in time. Try again.';
  if (error.kind === 'unexpected') {
    return 'The server answered in a way that this page does not understand. Reload the page and try again.';
  }
  const known = Object.hasOwn(codes, error.code) ? codes[error.code] : undefined;
  if (known !== undefined) return known;
  if (error.detail !== '') return error.detail;
  return problemOfStatus(error.status);
}

function problemOfStatus(status: number): string {
  switch (status) {
    case 401:
      return 'You are not logged in any more.';
    case 403:
      return 'You are not allowed to do this.';
    case 404:
      return 'This does not exist (any more).';
    case 409:
      return 'This is not possible in the present state.';
    case 429:
      return 'Too many requests or too many instances. Try again later.';
    case 503:
      return 'The server cannot do this at present. Try again in a moment.';
    default:
      return `Something went wrong (status ${status}). Try again.`;
  }
}

export const en = {
  brand: 'Desktops',
  duration,
  problem,
  unexpected: 'Something went wrong in this page. Reload it; your desktops are not affected.',
  notAnApiError: 'Something went wrong. Try again.',
  retry: 'Try again',
  cancel: 'Cancel',
  close: 'Close',
  loading: 'Loading…',
  skip: 'Skip to content',
  /** A part of the page could not be fetched. */
  notLoaded: 'This part of the page could not be loaded. Check your network, or reload the page if the server was updated.',

  login: {
    title: 'Log in',
    lead: 'Your desktops and applications, in the browser.',
    name: 'Name',
    password: 'Password',
    show: 'Show password',
    hide: 'Hide password',
    submit: 'Log in',
    waiting: 'Logging in…',
    wrong: 'Name or password is wrong.',
    missing: 'Enter your name and your password.',
    tooMany: (s: number) => `Too many attempts. Try again in ${duration(s)}.`,
    expired: 'You were logged out. Log in again to go on.',
  },

  nav: {
    label: 'Main',
    catalogue: 'Catalogue',
    instances: 'My desktops',
    admin: 'Administration',
    profile: 'Profile',
    logOut: 'Log out',
    loggedInAs: (name: string) => `Logged in as ${name}`,
  },

  theme: {
    label: 'Colours',
    system: 'As on this device',
    light: 'Light',
    dark: 'Dark',
    current: (name: string) => `Colours: ${name}. Change`,
  },

  catalogue: {
    title: 'Catalogue',
    lead: 'Choose what to open. It keeps running until you stop it, also when you close this page.',
    search: 'Search the catalogue',
    found: (n: number) => (n === 1 ? '1 entry' : `${n} entries`),
    none: (query: string) => `Nothing found for “${query}”.`,
    clear: 'Show all',
    empty: 'The catalogue is empty',
    emptyLead: 'An administrator has to add applications first.',
    launch: 'Launch',
    launchApp: (name: string) => `Launch ${name}`,
    firstStart: 'The first start takes longer',
    kind: KINDS,
    goOn: 'Continue',
  },

  secondStep,
  signOn,
  invitation,
  once,
  profile,
  access,
  quota,
  admin,

  instances: {
    title: 'My desktops',
    lead: 'Everything that you launched.',
    empty: 'Nothing here yet',
    emptyLead: 'Launch a desktop or an application from the catalogue. It appears here and stays until you delete it.',
    toCatalogue: 'Open the catalogue',
    stale: 'Changes are not arriving by themselves at present. The list is refreshed every few seconds.',
    open: 'Open',
    openApp: (name: string) => `Open ${name}`,
    picture: (name: string) => `Last picture of ${name}`,
    watched: 'open in a window',
    on: (host: string) => `on ${host}`,
    hostSilent: 'Its host does not answer at present. What is shown here may have changed.',
    state: STATES,
    action: ACTIONS,
    actionOn: (action: Action, name: string) => `${ACTIONS[action]} ${name}`,
    changed: (name: string, state: InstanceState) => `${name}: ${STATES[state]}`,
    created: (age: string) => `Launched ${age}`,
    createdAt: (date: string) => `Launched on ${date}`,
    failed: 'It failed without saying why.',
  },

  details,

  /** What ends a desktop by itself. */
  ending: {
    will: (action: Ending) => `Will be ${DONE[action]}`,
    today: (time: string) => `today at ${time}`,
    on: (date: string) => `on ${date}`,
    in: (action: Ending) => `This desktop will be ${DONE[action]} in`,
    as: (reason: EndingReason) => `, as ${BECAUSE[reason]}.`,
    soon: (action: Ending, minutes: number, reason: EndingReason) =>
      `This desktop will be ${DONE[action]} in ${minutes === 1 ? 'a minute' : `${minutes} minutes`}, as ${BECAUSE[reason]}.`,
    extend: 'Extend',
    extended: 'The desktop goes on running.',
  },

  age: {
    now: 'just now',
    minutes: (n: number) => `${n} min ago`,
    hours: (n: number) => `${n} h ago`,
    days: (n: number) => (n === 1 ? '1 day ago' : `${n} days ago`),
  },

  confirm: {
    deleteTitle: (name: string) => `Delete ${name}?`,
    deleteText: 'The instance and everything that was saved in it will be removed. This cannot be undone.',
    deleteYes: 'Delete',
    stopTitle: (name: string) => `Stop ${name}?`,
    stopText: 'Programs that are running in it will be closed, and what was not saved is lost.',
    stopYes: 'Stop',
  },

  session: {
    starting: (name: string) => `Starting ${name}`,
    waking: (name: string) => `Waking ${name}`,
    connecting: (name: string) => `Connecting to ${name}`,
    steps: 'Steps',
    step: STEPS,
    stepState: { todo: 'to do', active: 'in progress', done: 'done', failed: 'failed' },
    since: (s: number) => `${duration(s)} so far`,
    slow: 'The first start of an application takes longer, because its image has to be fetched. You can leave this page; it goes on.',
    failedTitle: (name: string) => `${name} could not be started`,
    failedResume: (name: string) => `${name} could not be woken up`,
    offTitle: (name: string) => `${name} is stopped`,
    offText: 'Start it to go on.',
    asleepTitle: (name: string) => `${name} is suspended`,
    asleepText: 'It keeps its memory. Wake it up to go on where you were.',
    busyTitle: (name: string, state: InstanceState) => `${name}: ${STATES[state]}…`,
    busyText: 'One moment.',
    goneTitle: 'This desktop is gone',
    goneText: 'It was deleted.',
    back: 'Back to my desktops',
    toCatalogue: 'Back to the catalogue',
    delete: 'Delete it',
  },

  reconnect: {
    lost: 'Connection lost',
    inSeconds: (s: number) => `Trying again in ${s} s…`,
    trying: 'Connecting again…',
    attempt: (n: number, max: number) => `Attempt ${n} of ${max}`,
    now: 'Try now',
    gaveUp: 'No connection',
    gaveUpText: 'It was tried several times without success. The desktop itself goes on running.',
    ended: 'Not connected',
    again: 'Connect again',
    here: 'Use it here',
    why: ENDS,
    offline: 'This device has no network connection at present.',
  },

  viewer: {
    label: (name: string) => `Screen of ${name}`,
    keyboardHelp: 'Keys go to the desktop. Press Control, Alt and Shift together for the bar.',
    connected: (name: string) => `Connected to ${name}`,
    barOpen: 'Open the bar',
    barClose: 'Close the bar',
    barShortcut: 'Ctrl + Alt + Shift',
    bar: 'Session',
    quality: 'Connection',
    grade: GRADES,
    ms: (ms: number) => `${ms} ms`,
    clipboard: 'Clipboard',
    clipboardLabel: 'Text on the clipboard of the desktop',
    clipboardHelp: 'What is copied on the desktop appears here. What you type or paste here can be pasted there.',
    clipboardSent: 'On the desktop’s clipboard',
    clipboardTooLong: 'Too long: at most 256 KB of text can be sent.',
    clipboardCopy: 'Copy to this device',
    clipboardCopied: 'Copied to this device',
    clipboardNoCopy: 'This browser does not allow it. Mark the text and copy it.',
    clipboardSync: 'Keep both clipboards alike',
    clipboardSyncNo: 'The browser did not allow it. You can change that in its settings for this page.',
    clipboardInsecure: 'Only possible over HTTPS.',
    keys: 'Keys',
    send: (label: string) => `Send ${label}`,
    screen: 'Screen',
    fullScreen: 'Full screen',
    fullScreenEnd: 'Leave full screen',
    scaling: 'Size',
    fit: 'Fit the window',
    original: '100 %',
    everyPixel: 'Use every pixel of this screen (smaller letters)',
    touch: 'Touch and text',
    touchMode: 'A finger acts as',
    touchscreen: 'Touchscreen',
    touchpad: 'Touchpad',
    touchKeyboard: 'On-screen keyboard',
    touchKeyboardEnd: 'Hide the keyboard',
    text: 'Text to type on the desktop',
    textPlaceholder: 'Type here…',
    textSend: 'Type it',
    keyRow: 'Special keys',
    disconnect: 'Disconnect',
    disconnectHelp: 'It keeps running',
    stop: 'Stop',
    stopHelp: 'Ends its programs',
  },
};

/** What a language has to say. */
export type Texts = typeof en;

