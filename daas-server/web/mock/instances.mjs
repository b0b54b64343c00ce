// Instances that walk through the states of the real ones, by a clock of their own.

import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';

/**
 * @typedef {object} App
 * @property {string} id
 * @property {string} slug
 * @property {string} name
 * @property {string} description
 * @property {string} icon
 * @property {'desktop' | 'application'} kind
 * @property {boolean} image_ready
 */

/**
 * @typedef {object} Instance
 * @property {string} id
 * @property {Pick<App, 'id' | 'slug' | 'name' | 'icon' | 'kind'>} app
 * @property {string} state
 * @property {string | null} step
 * @property {{ action: string, text: string } | null} failure
 * @property {string} created_at
 * @property {string} changed_at
 * @property {number} tunnels
 * @property {{ at: string, action: string, reason: string, after_s: number } | null} ends
 * @property {boolean} can_extend
 * @property {{ suspend: boolean, snapshot: boolean }} abilities
 * @property {boolean} [stale]
 * @property {string} [host]
 *
 * @typedef {{ at: string, state: string, failure: Instance['failure'] }} Step
 * @typedef {{ name: string, made_at: string }} Snapshot
 */

/** @type {Readonly<Record<string, readonly string[]>>} */
const ALLOWED = {
  start: ['requested', 'stopped', 'failed'],
  stop: ['running', 'suspended', 'starting', 'failed'],
  suspend: ['running'],
  resume: ['suspended'],
  delete: ['requested', 'starting', 'running', 'suspending', 'suspended', 'resuming', 'stopping', 'stopped', 'failed'],
};

/** @type {Readonly<Record<string, readonly [string, string]>>} */
const TRANSITIONS = {
  stop: ['stopping', 'stopped'],
  suspend: ['suspending', 'suspended'],
  resume: ['resuming', 'running'],
  delete: ['deleting', 'deleted'],
};

const STEPS = ['image', 'container', 'desktop', 'ready'];

/** Emits `change` with each changed instance. */
export class Instances extends EventEmitter {
  /** @param {number} stepMs how long each step takes */
  constructor(stepMs) {
    super();
    this.stepMs = stepMs;
    /** @type {Map<string, { owner: string, instance: Instance }>} */
    this.all = new Map();
    /** @type {Map<string, NodeJS.Timeout>} */
    this.timers = new Map();
    /** @type {string | null} the step at which the next start fails */
    this.failAt = null;
    /** What the host of new ones can do. */
    this.abilities = { suspend: true, snapshot: true };
    /** @type {Map<string, Step[]>} what each went through */
    this.steps = new Map();
    /** @type {Map<string, Snapshot[]>} */
    this.snapshots = new Map();
  }

  /** @param {string} owner */
  of(owner) {
    const own = [...this.all.values()].filter((entry) => entry.owner === owner);
    return own.map((entry) => entry.instance).filter((instance) => instance.state !== 'deleted');
  }

  /**
   * @param {string} id
   * @param {string} owner
   */
  find(id, owner) {
    const entry = this.all.get(id);
    return entry?.owner === owner && entry.instance.state !== 'deleted' ? entry.instance : null;
  }

  /**
   * @param {App} app
   * @param {string} owner
   */
  launch(app, owner) {
    const { id, slug, name, icon, kind } = app;
    const now = new Date().toISOString();
    /** @type {Instance} */
    const instance = {
      id: randomUUID(),
      app: { id, slug, name, icon, kind },
      state: 'requested',
      step: null,
      failure: null,
      created_at: now,
      changed_at: now,
      tunnels: 0,
      abilities: { ...this.abilities },
      ends: null,
      can_extend: false,
    };
    this.all.set(instance.id, { owner, instance });
    this.steps.set(instance.id, [{ at: now, state: 'requested', failure: null }]);
    this.snapshots.set(instance.id, []);
    this.emit('change', instance);
    this.later(instance, () => this.start(instance));
    return instance;
  }

  /**
   * Returns whether the action is allowed in the present state, and begins it.
   * @param {Instance} instance
   * @param {string} action
   */
  act(instance, action) {
    if (!ALLOWED[action]?.includes(instance.state)) return false;
    const [intent, outcome] = TRANSITIONS[action] ?? [];
    if (!intent || !outcome) {
      this.start(instance);
      return true;
    }
    this.set(instance, intent);
    this.later(instance, () => this.set(instance, outcome));
    return true;
  }

  /**
   * The states that one was in, with how long each was.
   * @param {Instance} instance
   */
  timeline({ id }) {
    const steps = this.steps.get(id) ?? [];
    return steps.map((step, n) => {
      const next = steps[n + 1];
      return { ...step, duration_ms: next ? Date.parse(next.at) - Date.parse(step.at) : null };
    });
  }

  /**
   * From now on it ends by itself, so many seconds after now.
   * @param {Instance} instance
   * @param {number} inS
   * @param {{ action: string, reason: string, after_s: number }} policy
   */
  endIn(instance, inS, policy) {
    instance.ends = { ...policy, at: new Date(Date.now() + 1000 * inS).toISOString() };
    instance.can_extend = true;
    this.emit('change', instance);
  }

  /**
   * Keys or the pointer did something.
   * @param {Instance} instance
   */
  used(instance) {
    const { ends } = instance;
    if (ends?.reason === 'idle') ends.at = new Date(Date.now() + 1000 * ends.after_s).toISOString();
  }

  /** @param {Instance} instance */
  start(instance, place = 0) {
    const step = STEPS[place];
    if (step === undefined) return this.set(instance, 'running');
    this.set(instance, 'starting', step);
    if (step === this.failAt) {
      this.failAt = null;
      return this.later(instance, () => this.fail(instance));
    }
    this.later(instance, () => this.start(instance, place + 1), step === 'ready' ? 0 : this.stepMs);
  }

  /** @param {Instance} instance */
  fail(instance) {
    instance.failure = { action: 'start', text: 'The image could not be fetched. Ask an administrator to check it.' };
    this.set(instance, 'failed', null, instance.failure);
  }

  /**
   * @param {Instance} instance
   * @param {string} state
   * @param {string | null} step
   * @param {Instance['failure']} failure
   */
  set(instance, state, step = null, failure = null) {
    // What was to come of a deleted one comes no more.
    if (state === 'deleted') clearTimeout(this.timers.get(instance.id));
    if (state !== instance.state) {
      this.steps.get(instance.id)?.push({ at: new Date().toISOString(), state, failure });
    }
    instance.state = state;
    instance.step = step;
    instance.failure = failure;
    instance.changed_at = new Date().toISOString();
    this.emit('change', instance);
  }

  /**
   * @param {Instance} instance
   * @param {() => void} run
   */
  later(instance, run, ms = this.stepMs) {
    clearTimeout(this.timers.get(instance.id));
    this.timers.set(instance.id, setTimeout(run, ms));
  }

  close() {
    for (const timer of this.timers.values()) clearTimeout(timer);
  }
}
