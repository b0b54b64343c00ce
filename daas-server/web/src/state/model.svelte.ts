/** What the page knows: who is logged in, the catalogue, the instances. */

import type { Permission } from '../lib/api/access';
import { AdminApi } from '../lib/api/admin';
import { Client } from '../lib/api/client';
import { DetailsApi } from '../lib/api/details';
import { ApiError } from '../lib/api/error';
import { LiveEvents } from '../lib/api/events';
import { ProfileApi } from '../lib/api/profile';
import type { OwnQuota } from '../lib/api/quota';
import type { App, AppSummary, Instance, Session, Transition, User } from '../lib/api/types';
import { merge, transitionsOf, wakeOf } from '../lib/instances';
import { t, wordsFor } from '../lib/text';
import { browserStore, forget, Thumbnails } from '../lib/thumbnails';
import { notices } from './notices.svelte';

export type Phase = 'booting' | 'anonymous' | 'ready' | 'broken';

class Model {
  readonly client = new Client();
  readonly profile = new ProfileApi(this.client);
  readonly admin = new AdminApi(this.client);
  readonly details = new DetailsApi(this.client);
  phase = $state<Phase>('booting');
  /** Why the page could not begin. */
  broken = $state('');
  /** Whether somebody was logged in until just now. */
  expired = $state(false);
  user = $state.raw<User | null>(null);
  apps = $state.raw<readonly App[] | null>(null);
  appsProblem = $state<string | null>(null);
  /** What this person may have, where the server says so. */
  quota = $state.raw<OwnQuota | null>(null);
  instances = $state.raw<readonly Instance[] | null>(null);
  instancesProblem = $state<string | null>(null);
  /** Whether changes arrive by themselves. */
  live = $state(true);
  /** Ids of instances that a request is under way for. */
  pending = $state.raw<ReadonlySet<string>>(new Set());
  /** What is being launched: there is no instance of it yet. */
  launching: AppSummary | null = null;
  /** The instance that somebody wants to see, awake or not. */
  wanted: string | null = null;
  #thumbnails = new Thumbnails('', null);
  /** Grows when a picture is kept: storage does not tell. */
  #pictures = $state(0);
  #changes = 0;
  /** Ids of what was deleted: none comes back. */
  readonly #gone = new Set<string>();
  #loading: Promise<void> | null = null;
  readonly #events = new LiveEvents({
    instance: (instance) => this.take(instance),
    reload: () => void this.loadInstances(),
    live: (live) => (this.live = live),
  });

  constructor() {
    this.client.onUnauthorized = () => this.#loggedOut(this.phase === 'ready');
    this.client.onSession = (session) => this.#renewed(session);
    document.addEventListener('visibilitychange', () => this.#visibilityChanged());
  }

  /** Finds out who is logged in. */
  async boot(): Promise<void> {
    this.phase = 'booting';
    try {
      this.#loggedIn(await this.client.whoAmI());
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.#loggedOut(false);
      else this.#break(error);
    }
  }

  async logIn(name: string, password: string, code?: string): Promise<void> {
    this.#loggedIn(await this.client.logIn(name, password, code));
  }

  /** Takes an invitation, whoever was logged in before. */
  async accept(token: string, password: string): Promise<void> {
    const session = await this.client.accept(token, password);
    if (this.phase === 'ready') this.#loggedOut(false);
    this.#loggedIn(session);
  }

  can(permission: Permission): boolean {
    return this.user?.permissions.includes(permission) ?? false;
  }

  async logOut(): Promise<void> {
    try {
      const elsewhere = await this.client.logOut();
      this.#loggedOut(false);
      if (elsewhere !== null) window.location.assign(elsewhere);
    } catch (error) {
      if (this.phase === 'ready') notices.error(wordsFor(error));
    }
  }

  async loadApps(): Promise<void> {
    try {
      this.apps = await this.client.apps();
      this.appsProblem = null;
    } catch (error) {
      this.appsProblem = wordsFor(error);
    }
  }

  #quotaTurn = 0;

  /** What is left of the quota helps to decide, but nothing depends on it. */
  async loadQuota(): Promise<void> {
    const turn = ++this.#quotaTurn;
    const quota = await this.profile.quota().catch(() => null);
    // Answers may come in another order than they were asked for.
    if (turn === this.#quotaTurn) this.quota = quota;
  }

  /** Loads the list; several callers at a time share one request. */
  loadInstances(): Promise<void> {
    this.#loading ??= this.#loadInstances().finally(() => (this.#loading = null));
    return this.#loading;
  }

  /** Takes what the server says of an instance, from wherever it came. */
  take(instance: Instance): void {
    if (instance.state === 'deleted') this.#gone.add(instance.id);
    // An answer may come after the event that there is none any more.
    else if (this.#gone.has(instance.id)) return;
    this.#changes++;
    const before = this.find(instance.id);
    this.instances = merge(this.instances ?? [], instance);
    if (before && before.state !== instance.state) {
      notices.say(t.instances.changed(instance.app.name, instance.state));
    }
  }

  find(id: string): Instance | null {
    return this.instances?.find((instance) => instance.id === id) ?? null;
  }

  /** The last picture of an instance as a data URL, or `null`. */
  picture(id: string): string | null {
    return this.#pictures < 0 ? null : this.#thumbnails.get(id);
  }

  keepPicture(id: string, url: string): void {
    this.#thumbnails.put(id, url, Date.now());
    this.#pictures++;
  }

  /** Asks for one instance; it leaves the list when there is none any more. */
  async refresh(id: string): Promise<Instance | null> {
    try {
      const instance = await this.client.instance(id);
      this.take(instance);
      return instance.state === 'deleted' ? null : instance;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      this.instances = (this.instances ?? []).filter((instance) => instance.id !== id);
      return null;
    }
  }

  async launch(app: AppSummary, key: string): Promise<Instance> {
    const instance = await this.client.launch(app.id, key);
    this.take(instance);
    return instance;
  }

  /** Asks for a change and says so when it is refused. Returns whether it was accepted. */
  async act(instance: Instance, action: Transition | 'delete'): Promise<boolean> {
    if (this.pending.has(instance.id)) return false;
    this.pending = new Set([...this.pending, instance.id]);
    try {
      this.take(await this.#request(instance.id, action));
      return true;
    } catch (error) {
      this.#refused(instance, error);
      return false;
    } finally {
      this.pending = new Set([...this.pending].filter((id) => id !== instance.id));
    }
  }

  /** Puts off what would end it by itself, and says so when that is refused. */
  async extend(instance: Instance): Promise<boolean> {
    try {
      this.take(await this.client.extend(instance.id));
      return true;
    } catch (error) {
      this.#refused(instance, error);
      return false;
    }
  }

  /** Starts or resumes what does not run. */
  async wake(instance: Instance): Promise<boolean> {
    const transition = wakeOf(instance.state);
    return transition === null || !transitionsOf(instance.state).includes(transition)
      ? true
      : this.act(instance, transition);
  }

  async #request(id: string, action: Transition | 'delete'): Promise<Instance> {
    return action === 'delete' ? this.client.remove(id) : this.client.transition(id, action);
  }

  #refused(instance: Instance, error: unknown): void {
    if (this.phase !== 'ready') return;
    notices.error(`${instance.app.name}: ${wordsFor(error)}`);
    // It was not in the state that it seemed to be in.
    this.refresh(instance.id).catch(() => undefined);
  }

  /** What changed while the list was under way may be missing in it: then it is loaded again. */
  async #loadInstances(): Promise<void> {
    try {
      for (let tries = 0; tries < 3; tries++) {
        const before = this.#changes;
        const instances = await this.client.instances();
        if (before !== this.#changes && tries < 2) continue;
        this.#replace(instances);
        return;
      }
    } catch (error) {
      this.instancesProblem = wordsFor(error);
    }
  }

  #replace(instances: readonly Instance[]): void {
    if (this.phase !== 'ready') return;
    const shown = instances.filter((instance) => instance.state !== 'deleted');
    this.instances = [...shown].sort((a, b) => b.createdAt - a.createdAt);
    this.instancesProblem = null;
    this.#thumbnails.keepOnly(shown.map((instance) => instance.id));
  }

  #loggedIn(session: Session): void {
    this.user = session.user;
    this.phase = 'ready';
    this.expired = false;
    this.#thumbnails = new Thumbnails(session.user.id, browserStore());
    this.#events.open();
    void this.loadApps();
    void this.loadInstances();
  }

  /** Rights and names may have changed meanwhile. */
  #renewed(session: Session): void {
    if (this.phase === 'ready' && session.user.id === this.user?.id) this.user = session.user;
  }

  #loggedOut(expired: boolean): void {
    this.#events.close();
    forget(browserStore());
    notices.clear();
    this.user = null;
    this.apps = this.instances = null;
    this.quota = null;
    this.appsProblem = this.instancesProblem = null;
    this.#gone.clear();
    this.launching = null;
    this.wanted = null;
    this.expired = expired;
    this.phase = 'anonymous';
  }

  #break(error: unknown): void {
    this.broken = wordsFor(error);
    this.phase = 'broken';
  }

  #visibilityChanged(): void {
    if (this.phase !== 'ready') return;
    if (document.hidden) this.#events.close();
    else this.#events.open();
  }
}

export const model = new Model();
