/**
 * Live changes: Server-Sent Events, and asking again and again where they do not come.
 *
 * The browser reconnects an event source by itself as long as the server answers 200. For
 * all else, and while it tries, the list is polled. A hidden page holds no event source:
 * over HTTP/1.1 a browser opens only six connections to a server, for all tabs together.
 */

import { Unexpected } from './decode';
import { readInstance, type Instance } from './types';

/** The part of `EventSource` that is used. */
export interface Source {
  readonly readyState: number;
  addEventListener(type: string, listener: (event: MessageEvent<unknown>) => void): void;
  close(): void;
}

export interface Handlers {
  /** An instance changed. */
  instance(instance: Instance): void;
  /** Changes may have been missed, or cannot be told: load the list. */
  reload(): void;
  /** Whether changes arrive by themselves. */
  live(live: boolean): void;
}

export interface Surroundings {
  open(path: string): Source;
  setTimer(run: () => void, ms: number): number;
  clearTimer(id: number): void;
}

const PATH = '/api/v1/events';
const POLL_MS = 5_000;
const REOPEN_MS = 30_000;
const CLOSED = 2;

const browser: Surroundings = {
  open: (path) => new EventSource(path),
  setTimer: (run, ms) => window.setTimeout(run, ms),
  clearTimer: (id) => window.clearTimeout(id),
};

export class LiveEvents {
  readonly #handlers: Handlers;
  readonly #around: Surroundings;
  #source: Source | null = null;
  #poll: number | null = null;
  #reopen: number | null = null;

  constructor(handlers: Handlers, around: Surroundings = browser) {
    this.#handlers = handlers;
    this.#around = around;
  }

  /** Begins, or begins anew. */
  open(): void {
    this.close();
    const source = this.#around.open(PATH);
    this.#source = source;
    source.addEventListener('hello', () => this.#hello(source));
    source.addEventListener('instance', (event) => this.#instance(source, event));
    source.addEventListener('error', () => this.#error(source));
    this.#startPolling();
  }

  close(): void {
    this.#source?.close();
    this.#source = null;
    this.#stopPolling();
    if (this.#reopen !== null) this.#around.clearTimer(this.#reopen);
    this.#reopen = null;
  }

  /** Each (new) connection begins with it; what changed before was not seen. */
  #hello(source: Source): void {
    if (source !== this.#source) return;
    this.#stopPolling();
    this.#handlers.live(true);
    this.#handlers.reload();
  }

  #instance(source: Source, event: MessageEvent<unknown>): void {
    if (source !== this.#source) return;
    const instance = parse(event.data);
    if (instance) this.#handlers.instance(instance);
    else this.#handlers.reload();
  }

  #error(source: Source): void {
    if (source !== this.#source) return;
    this.#handlers.live(false);
    this.#startPolling();
    if (source.readyState !== CLOSED || this.#reopen !== null) return;
    this.#reopen = this.#around.setTimer(() => {
      this.#reopen = null;
      this.open();
    }, REOPEN_MS);
  }

  #startPolling(): void {
    if (this.#poll !== null) return;
    this.#poll = this.#around.setTimer(() => {
      this.#poll = null;
      this.#handlers.reload();
      this.#startPolling();
    }, POLL_MS);
  }

  #stopPolling(): void {
    if (this.#poll !== null) this.#around.clearTimer(this.#poll);
    this.#poll = null;
  }
}

function parse(data: unknown): Instance | null {
  try {
    return readInstance(JSON.parse(String(data)));
  } catch (error) {
    if (error instanceof Unexpected || error instanceof SyntaxError) return null;
    throw error;
  }
}
