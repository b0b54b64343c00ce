/** One desktop on the screen: launched, woken, connected, lost and found again. */

import { newKey } from '../lib/api/client';
import { ApiError } from '../lib/api/error';
import type { AppSummary, Instance, InstanceState, Step, Ticket, Transition } from '../lib/api/types';
import { Connection } from '../lib/guac/connection';
import { density, wantedSize, type Box, type Scaling } from '../lib/guac/geometry';
import type { Combo } from '../lib/guac/keys';
import { keysymsOf } from '../lib/guac/keys';
import type { Quality } from '../lib/guac/quality';
import { reasonOf, type EndReason } from '../lib/guac/status';
import { panelOf, type Panel } from '../lib/panel';
import { IDLE, next, type Link, type LinkEvent } from '../lib/reconnect';
import { wordsFor } from '../lib/text';
import { shrink } from '../lib/thumbnails';
import { SharedClipboard } from './clipboard.svelte';
import { EndingWatch } from './ending.svelte';
import { model } from './model.svelte';
import { settings } from './settings.svelte';

const PICTURE_EVERY_MS = 20_000;
const TICK_MS = 250;
/** Most characters that are typed at once from a text field. */
const TYPED_MAX = 4096;
const UNKNOWN: Quality = { grade: 'unknown', ms: null };

export class SessionModel {
  id = $state<string | null>(null);
  app = $state.raw<AppSummary | null>(null);
  gone = $state(false);
  launchProblem = $state<string | null>(null);
  link = $state.raw<Link>(IDLE);
  /** The connection whose picture is shown; it may have ended meanwhile. */
  screen = $state.raw<Connection | null>(null);
  quality = $state.raw<Quality>(UNKNOWN);
  scaling = $state<Scaling>('fit');
  /** Whether there was a picture already. */
  seen = $state(false);
  /** Milliseconds of `performance.now`, for what counts down. */
  now = $state(performance.now());
  /** The state in which it was opened. */
  from = $state<InstanceState | null>(null);
  lastStep = $state<Step | null>(null);
  /** The room for the picture, in CSS pixels. */
  box: Box = { width: window.innerWidth, height: window.innerHeight };
  readonly openedAt = performance.now();
  readonly clipboard = new SharedClipboard((text) => this.screen?.sendClipboard(text) ?? false);
  readonly instance: Instance | null = $derived(this.id === null ? null : model.find(this.id));
  readonly panel: Panel = $derived(panelOf(this));
  readonly ending = new EndingWatch();

  #launchKey = newKey();
  #pendingConnection: Connection | null = null;
  #attempt = 0;
  #wait: number | null = null;
  #closed = false;
  /** Whether the list had it. */
  #known = false;
  readonly #tick = window.setInterval(() => this.#ticked(), TICK_MS);
  readonly #pictures = window.setInterval(() => this.#keepPresent(), PICTURE_EVERY_MS);
  readonly #online = () => this.dispatch({ type: 'due' });

  constructor() {
    window.addEventListener('online', this.#online);
  }

  /** Launches an application. Returns the id of the new instance, if there is one. */
  async launch(app: AppSummary): Promise<string | null> {
    this.app = app;
    this.launchProblem = null;
    try {
      const instance = await model.launch(app, this.#launchKey);
      this.id = instance.id;
      return instance.id;
    } catch (error) {
      this.launchProblem = wordsFor(error);
      // Refused for good: the next try is another one.
      if (error instanceof ApiError && error.kind === 'problem') this.#launchKey = newKey();
      return null;
    }
  }

  /** Shows an instance that exists. `wake` says to start or resume it if need be. */
  async open(id: string, wake: boolean): Promise<void> {
    this.id = id;
    const instance = this.instance ?? (await this.#look(id));
    if (instance === null || this.#closed) return;
    this.app = instance.app;
    this.from ??= instance.state;
    if (wake) await this.#wake(instance);
  }

  /** Told of each change of the instance. */
  observe(instance: Instance | null): void {
    if (this.#closed) return;
    if (instance === null) return this.#missed();
    this.#known = true;
    this.app = instance.app;
    this.lastStep = instance.step ?? this.lastStep;
    if (instance.state === 'running') {
      if (this.link.phase === 'idle') this.dispatch({ type: 'start' });
    } else if (this.link.phase !== 'idle') {
      this.dispatch({ type: 'leave' });
    }
  }

  async act(transition: Transition | 'delete'): Promise<boolean> {
    const { instance } = this;
    if (instance === null) return false;
    if (transition === 'start' || transition === 'resume') return this.#wake(instance);
    this.keepPicture();
    return model.act(instance, transition);
  }

  /** Asks the desktop for the size of the room. */
  askForSize(): void {
    this.screen?.sendSize(wantedSize(this.box, this.density));
  }

  /** Pixels of the desktop for each CSS pixel. */
  get density(): number {
    return density(window.devicePixelRatio, settings.everyPixel);
  }

  press(combo: Combo): void {
    for (const key of combo.keys) this.screen?.sendKey(key, true);
    for (const key of [...combo.keys].reverse()) this.screen?.sendKey(key, false);
  }

  type(text: string): void {
    for (const keysym of keysymsOf(text).slice(0, TYPED_MAX)) {
      this.screen?.sendKey(keysym, true);
      this.screen?.sendKey(keysym, false);
    }
  }

  /** Keeps a small copy of the picture for the list. */
  keepPicture(): void {
    if (this.id === null || !this.screen) return;
    const url = shrink(this.screen.display.flatten());
    if (url !== null) model.keepPicture(this.id, url);
  }

  #keepPresent(): void {
    if (this.screen?.ready && !document.hidden) this.keepPicture();
  }

  /** The page leaves it; the desktop goes on running. */
  close(): void {
    this.keepPicture();
    this.#closed = true;
    window.clearInterval(this.#tick);
    window.clearInterval(this.#pictures);
    window.removeEventListener('online', this.#online);
    this.#setLink(IDLE);
    this.screen?.dispose();
    this.screen = null;
  }

  dispatch(event: LinkEvent): void {
    if (this.#closed) return;
    this.#setLink(next(this.link, event, performance.now(), Math.random()));
  }

  /** It left the list: somebody deleted it, most likely. */
  #missed(): void {
    if (this.#known && this.id !== null) void this.#look(this.id);
    this.#known = false;
  }

  async #wake(instance: Instance): Promise<boolean> {
    this.from = instance.state;
    this.lastStep = null;
    this.seen = false;
    return model.wake(instance);
  }

  async #look(id: string): Promise<Instance | null> {
    try {
      const instance = await model.refresh(id);
      if (instance === null) this.#isGone();
      return instance;
    } catch (error) {
      // Shown like a launch that failed, with the way to try again.
      this.launchProblem = wordsFor(error);
      return null;
    }
  }

  #ticked(): void {
    const free = this.panel.kind === 'none';
    if (!free) this.now = performance.now();
    this.ending.tick(free ? this.instance : null, this.screen?.usedAt ?? null);
  }

  /** Does what belongs to a phase when it begins. */
  #setLink(link: Link): void {
    if (link === this.link) return;
    this.link = link;
    this.now = performance.now();
    if (this.#wait !== null) window.clearTimeout(this.#wait);
    this.#wait = null;
    if (link.phase === 'connected') return;
    this.#endConnections();
    if (link.phase === 'connecting') void this.#connect();
    if (link.phase === 'waiting') this.#waitUntil(link.until);
  }

  #endConnections(): void {
    this.#attempt++;
    this.quality = UNKNOWN;
    this.screen?.close();
    this.#pendingConnection?.dispose();
    this.#pendingConnection = null;
  }

  #waitUntil(until: number): void {
    const ms = Math.max(0, until - performance.now());
    this.#wait = window.setTimeout(() => this.dispatch({ type: 'due' }), ms);
  }

  /** Each attempt needs a ticket of its own. */
  async #connect(): Promise<void> {
    const attempt = this.#attempt;
    const id = this.id;
    if (id === null) return;
    try {
      const ticket = await model.client.ticket(id);
      if (attempt === this.#attempt) this.#openConnection(ticket);
    } catch (error) {
      if (attempt === this.#attempt) this.#noTicket(error);
    }
  }

  #openConnection({ path, ticket }: Ticket): void {
    const size = wantedSize(this.box, this.density);
    const connection = new Connection(
      { path, ticket, size },
      {
        shown: () => this.#shown(connection),
        ended: (code) => this.#ended(connection, code),
        clipboard: (text) => this.clipboard.received(text),
        quality: (quality) => (this.quality = quality),
      },
    );
    this.#pendingConnection = connection;
  }

  /** The old picture stays until the new one is there. */
  #shown(connection: Connection): void {
    if (connection !== this.#pendingConnection) return;
    this.#pendingConnection = null;
    this.screen?.dispose();
    this.screen = connection;
    this.seen = true;
    this.dispatch({ type: 'shown' });
    this.askForSize();
    this.clipboard.connected();
  }

  #ended(connection: Connection, code: number | null): void {
    if (connection !== this.#pendingConnection && connection !== this.screen) return;
    this.#lost(reasonOf(code));
  }

  #noTicket(error: unknown): void {
    if (!(error instanceof ApiError)) return this.#lost('internal');
    if (error.status === 401) return;
    if (error.status === 404) return this.#isGone();
    this.#lost(reasonWithoutTicket(error), error.detail, error.retryAfterMs);
  }

  #lost(reason: EndReason, detail = '', waitMs: number | null = null): void {
    this.dispatch({ type: 'lost', cause: { reason, detail }, waitMs });
    // Perhaps it was stopped, and the news of it is still on the way.
    if (this.id !== null) model.refresh(this.id).catch(() => undefined);
  }

  #isGone(): void {
    this.gone = true;
    this.dispatch({ type: 'leave' });
  }
}

function reasonWithoutTicket(error: ApiError): EndReason {
  if (error.kind === 'network' || error.kind === 'timeout') return 'lost';
  if (error.kind === 'unexpected') return 'bad_request';
  if (error.status === 409) return 'refused';
  if (error.status === 429 || error.status === 503) return 'busy';
  return error.status >= 500 ? 'internal' : 'bad_request';
}
