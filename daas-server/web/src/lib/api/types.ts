/** What the page knows of the server's model, and how it is read from JSON. */

import { readPermissions, ROLES, SOURCES, type Permission, type Role, type Source } from './access';
import { count, fields, flag, list, optionalText, text, time, Unexpected, word } from './decode';
import { readQuota, type Quota } from './quota';

const ICONS = ['desktop', 'editor', 'browser', 'terminal', 'app'] as const;
const KINDS = ['desktop', 'application'] as const;
const STEPS = ['image', 'container', 'desktop', 'ready'] as const;
const ACTIONS = ['start', 'stop', 'suspend', 'resume', 'delete'] as const;
const ENDINGS = ['suspend', 'stop', 'delete'] as const;
const END_REASONS = ['disconnect', 'idle', 'lifetime'] as const;
export const STATES = [
  'requested',
  'starting',
  'running',
  'suspending',
  'suspended',
  'resuming',
  'stopping',
  'stopped',
  'deleting',
  'deleted',
  'failed',
  'unknown',
] as const;

/** Name of one of the drawings of `AppIcon`. */
export type IconName = (typeof ICONS)[number];
/** A whole desktop, or one application full screen. */
export type AppKind = (typeof KINDS)[number];
/** What is being done while an instance starts. */
export type Step = (typeof STEPS)[number];
/** Where an instance is in its life; `unknown` is a state that this page is too old for. */
export type InstanceState = (typeof STATES)[number];
/** What can be asked of an instance by a route of its own. */
export type Transition = Exclude<(typeof ACTIONS)[number], 'delete'>;
/** What somebody wants of an instance. */
export type Action = (typeof ACTIONS)[number];

/** Who is logged in. */
export interface User {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly source: Source;
  readonly totpEnabled: boolean;
  readonly permissions: readonly Permission[];
}

export interface Session {
  readonly user: User;
  /** To be sent with every request that changes something. */
  readonly csrfToken: string;
}

/** What is said of an application wherever it appears. */
export interface AppSummary {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly icon: IconName;
  readonly kind: AppKind;
}

/** An entry of the catalogue. */
export interface App extends AppSummary {
  readonly description: string;
  /** Whether the image is on the host already, so that the first start is quick. */
  readonly imageReady: boolean;
  /** What one person may have of it; only administrators are told. */
  readonly quota: Quota | null;
}

export interface Failure {
  readonly action: Action | null;
  /** What went wrong and what to do, in plain words. */
  readonly text: string;
}

/** What can be done with an instance where it is. */
export interface Abilities {
  readonly suspend: boolean;
  readonly snapshot: boolean;
}

/** What can be done with an instance by itself. */
export type Ending = (typeof ENDINGS)[number];
/** Nobody looks at it, nobody uses it, or its time is over. */
export type EndingReason = (typeof END_REASONS)[number];

/** What is to be done with an instance by itself, if nothing comes in between. */
export interface End {
  /** Milliseconds since 1970, by the clock of the server. */
  readonly at: number;
  readonly action: Ending;
  readonly reason: EndingReason;
  /** How long it takes from whatever it counts from. */
  readonly afterMs: number;
}

/** A desktop or application that somebody launched. */
export interface Instance {
  readonly id: string;
  readonly app: AppSummary;
  readonly state: InstanceState;
  readonly step: Step | null;
  readonly failure: Failure | null;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Milliseconds since 1970. */
  readonly changedAt: number;
  /** How many browsers look at it. */
  readonly tunnels: number;
  readonly abilities: Abilities;
  readonly ends: End | null;
  /** Whether that can be put off. */
  readonly canExtend: boolean;
  /** Whether its host does not answer, so that all this may be otherwise by now. */
  readonly stale: boolean;
  /** Where it is; only those are told who may see hosts. */
  readonly host: string;
}

/** Leave to open one tunnel. */
export interface Ticket {
  /** Path of the WebSocket, on this server. */
  readonly path: string;
  readonly ticket: string;
}

export function readSession(value: unknown): Session {
  const from = fields(value, 'session');
  const user = fields(from['user'], 'session.user');
  return {
    user: {
      id: text(user, 'id', 'session.user'),
      name: text(user, 'name', 'session.user'),
      role: word(user['role'], ROLES, 'user'),
      source: word(user['source'], SOURCES, 'local'),
      totpEnabled: flag(user, 'totp_enabled'),
      permissions: readPermissions(user),
    },
    csrfToken: text(from, 'csrf_token', 'session'),
  };
}

function readSummary(value: unknown, path: string): AppSummary {
  const from = fields(value, path);
  return {
    id: text(from, 'id', path),
    slug: text(from, 'slug', path),
    name: text(from, 'name', path),
    icon: word(from['icon'], ICONS, 'app'),
    kind: word(from['kind'], KINDS, 'application'),
  };
}

function readApp(value: unknown, path: string): App {
  const from = fields(value, path);
  return {
    ...readSummary(value, path),
    description: optionalText(from, 'description'),
    imageReady: from['image_ready'] !== false,
    quota: from['quota'] === null || from['quota'] === undefined ? null : readQuota(from['quota'], `${path}.quota`),
  };
}

export function readFailure(value: unknown): Failure | null {
  if (value === null || value === undefined) return null;
  const from = fields(value, 'failure');
  const action = ACTIONS.find((known) => known === from['action']) ?? null;
  return { action, text: optionalText(from, 'text') };
}

/** What is not told cannot be done. */
function readAbilities(value: unknown, path: string): Abilities {
  const from = fields(value ?? {}, path);
  return { suspend: flag(from, 'suspend'), snapshot: flag(from, 'snapshot') };
}

/** One that this page is too old for is not told. */
function readEnd(value: unknown, path: string): End | null {
  if (value === null || value === undefined) return null;
  const from = fields(value, path);
  const action = ENDINGS.find((known) => known === from['action']);
  const reason = END_REASONS.find((known) => known === from['reason']);
  if (action === undefined || reason === undefined) return null;
  return { at: time(from, 'at', path), action, reason, afterMs: 1000 * count(from, 'after_s', path) };
}

export function readInstance(value: unknown, path = 'instance'): Instance {
  const from = fields(value, path);
  return {
    id: text(from, 'id', path),
    app: readSummary(from['app'], `${path}.app`),
    state: word<InstanceState>(text(from, 'state', path), STATES, 'unknown'),
    step: STEPS.find((known) => known === from['step']) ?? null,
    failure: readFailure(from['failure']),
    createdAt: time(from, 'created_at', path),
    changedAt: time(from, 'changed_at', path),
    tunnels: from['tunnels'] === undefined ? 0 : count(from, 'tunnels', path),
    abilities: readAbilities(from['abilities'], `${path}.abilities`),
    ends: readEnd(from['ends'], `${path}.ends`),
    canExtend: flag(from, 'can_extend'),
    stale: flag(from, 'stale'),
    host: optionalText(from, 'host'),
  };
}

export function readApps(value: unknown): App[] {
  return list(fields(value, 'apps')['items'], 'apps.items', readApp);
}

export function readInstances(value: unknown): Instance[] {
  return list(fields(value, 'instances')['items'], 'instances.items', readInstance);
}

export function readTicket(value: unknown): Ticket {
  const from = fields(value, 'ticket');
  const path = text(from, 'url', 'ticket');
  // Only a path of this very server: anything else would send the ticket elsewhere.
  if (!/^\/(?![/\\])[^\s?#]*$/.test(path)) throw new Unexpected('ticket.url', 'a path');
  return { path, ticket: text(from, 'ticket', 'ticket') };
}
