/**
 * A Guacamole tunnel over WebSocket.
 *
 * `WebSocketTunnel` of guacamole-common-js keeps the answers to its pings to itself, so the
 * round trip cannot be shown, and takes a timer that fired late for a server that fell
 * silent. This one has the same rules otherwise (`Tunnel.js` of guacamole-client): one
 * `ping` every 500 ms, unstable after 1.5 s without data, closed after 15 s.
 */

import Guacamole, { type Tunnel as GuacamoleTunnel } from '@glokon/guacamole-common-js';
import { Code, codeOfClose } from './status';

/** Opcode of messages between the two ends of the tunnel only. */
const INTERNAL = '';
const PING_EVERY_MS = 500;
const UNSTABLE_AFTER_MS = 1_500;
const SILENT_AFTER_MS = 15_000;
const CHECK_EVERY_MS = 250;
/** A check that comes this late says that the page slept, not that the server did. */
const SLEPT_MS = 2_000;
/** How long the server may take to answer after the page slept. */
const AWAKE_GRACE_MS = 4_000;

/** Most pings that are waited for; there are fewer unless the server answers none. */
const ASKED_MAX = 64;

/** States as `Client` knows them. */
export const TunnelState = { CONNECTING: 0, OPEN: 1, CLOSED: 2, UNSTABLE: 3 } as const;

/** The part of `WebSocket` that is used. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  send(data: string): void;
  close(): void;
}

export interface Surroundings {
  connect(url: string): Socket;
  now(): number;
  setTimer(run: () => void, ms: number): number;
  clearTimer(id: number): void;
}

const browser: Surroundings = {
  connect: (url) => new WebSocket(url, 'guacamole') as unknown as Socket,
  now: () => performance.now(),
  setTimer: (run, ms) => window.setInterval(run, ms),
  clearTimer: (id) => window.clearInterval(id),
};

export class Tunnel implements GuacamoleTunnel {
  state: number = TunnelState.CLOSED;
  uuid: string | null = null;
  onuuid: GuacamoleTunnel['onuuid'] = null;
  onerror: GuacamoleTunnel['onerror'] = null;
  onstatechange: GuacamoleTunnel['onstatechange'] = null;
  oninstruction: GuacamoleTunnel['oninstruction'] = null;
  /** Called once, with the status code, or `null` where the connection broke without one. */
  onend: ((code: number | null) => void) | null = null;
  /** Called with each round trip of a ping, in milliseconds. */
  onroundtrip: ((ms: number) => void) | null = null;
  /** Called when a frame was drawn: only then does `Client` return the server's `sync`. */
  ondrawn: (() => void) | null = null;

  readonly #url: string;
  readonly #around: Surroundings;
  readonly #parser = new Guacamole.Parser();
  #socket: Socket | null = null;
  #timer: number | null = null;
  #heardAt = 0;
  #checkedAt = 0;
  #pingedAt = -Infinity;
  /** Pings that are under way, by their time. */
  readonly #asked = new Set<string>();
  #graceUntil = -Infinity;

  constructor(url: string, around: Surroundings = browser) {
    this.#url = url;
    this.#around = around;
    this.#parser.oninstruction = (opcode, parameters) => this.#instruction(opcode, parameters);
  }

  isConnected(): boolean {
    return this.state === TunnelState.OPEN || this.state === TunnelState.UNSTABLE;
  }

  connect(): void {
    this.#heardAt = this.#checkedAt = this.#around.now();
    this.#setState(TunnelState.CONNECTING);
    const socket = this.#around.connect(this.#url);
    this.#socket = socket;
    socket.onopen = () => this.#heard();
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#end(codeOfClose(event.code, event.reason));
    this.#timer = this.#around.setTimer(() => this.#check(), CHECK_EVERY_MS);
  }

  disconnect(): void {
    this.#end(Code.SUCCESS);
  }

  sendMessage(...elements: (string | number)[]): void {
    if (!this.isConnected() || elements.length === 0) return;
    this.#socket?.send(Guacamole.Parser.toInstruction(elements));
    if (elements[0] === 'sync') this.ondrawn?.();
  }

  #receive(data: unknown): void {
    if (this.state === TunnelState.CLOSED) return;
    this.#heard();
    try {
      if (typeof data !== 'string') throw new TypeError('a text message expected');
      this.#parser.receive(data);
    } catch (error) {
      // What cannot be parsed or drawn leaves nothing to go on with.
      console.error('the picture could not be understood', error);
      this.#end(Code.SERVER_ERROR);
    }
  }

  /** The first instruction opens the tunnel; it should be the id. */
  #instruction(opcode: string, parameters: string[]): void {
    if (this.state === TunnelState.CLOSED) return;
    if (this.state === TunnelState.CONNECTING) this.#opened(opcode, parameters);
    if (opcode === INTERNAL) this.#internal(parameters);
    else this.oninstruction?.(opcode, parameters);
  }

  #opened(opcode: string, parameters: string[]): void {
    if (opcode === INTERNAL && parameters.length === 1) {
      this.uuid = parameters[0] ?? null;
      if (this.uuid !== null) this.onuuid?.(this.uuid);
    }
    this.#setState(TunnelState.OPEN);
    this.#ping();
  }

  /** Only answers to what was asked are measured. */
  #internal([kind, at]: string[]): void {
    if (kind !== 'ping' || at === undefined || !this.#asked.delete(at)) return;
    this.onroundtrip?.(Math.max(0, this.#around.now() - Number(at)));
  }

  /**
   * Anything from the server shows that it is there. Pings are also sent from here, because
   * browsers slow down the timers of hidden pages, but not their messages.
   */
  #heard(): void {
    this.#heardAt = this.#around.now();
    if (this.state === TunnelState.UNSTABLE) this.#setState(TunnelState.OPEN);
    this.#pingIfDue();
  }

  #pingIfDue(): void {
    if (this.#around.now() - this.#pingedAt >= PING_EVERY_MS) this.#ping();
  }

  #ping(): void {
    if (!this.isConnected()) return;
    this.#pingedAt = this.#around.now();
    const at = String(Math.floor(this.#pingedAt));
    if (this.#asked.size >= ASKED_MAX) this.#asked.clear();
    this.#asked.add(at);
    this.sendMessage(INTERNAL, 'ping', at);
  }

  #check(): void {
    const now = this.#around.now();
    if (now - this.#checkedAt > SLEPT_MS) this.#graceUntil = now + AWAKE_GRACE_MS;
    this.#checkedAt = now;
    const silence = now - this.#heardAt;
    if (silence > SILENT_AFTER_MS && now > this.#graceUntil) this.#end(null);
    else if (silence > UNSTABLE_AFTER_MS) this.#unstable();
    if (this.#socket) this.#pingIfDue();
  }

  #unstable(): void {
    if (this.state === TunnelState.OPEN) this.#setState(TunnelState.UNSTABLE);
  }

  #end(code: number | null): void {
    if (this.state === TunnelState.CLOSED) return;
    if (this.#timer !== null) this.#around.clearTimer(this.#timer);
    this.#timer = null;
    const socket = this.#socket;
    this.#socket = null;
    this.#setState(TunnelState.CLOSED);
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    this.onend?.(code);
  }

  #setState(state: number): void {
    if (state === this.state) return;
    this.state = state;
    this.onstatechange?.(state);
  }
}
