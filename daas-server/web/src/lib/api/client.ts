/** The server's HTTP interface, typed. */

import { heard } from '../server-time';
import { Unexpected, type Fields } from './decode';
import { ApiError, problemMarks, problemText, retryAfter } from './error';
import { readLogOut, readSignOn, type SignOn } from './profile';
import {
  readApps,
  readInstance,
  readInstances,
  readSession,
  readTicket,
  type App,
  type Instance,
  type Session,
  type Ticket,
  type Transition,
} from './types';

export const BASE = '/api/v1';
const TIMEOUT_MS = 20_000;

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
type Fetch = (path: string, init: RequestInit) => Promise<Response>;

export interface Request {
  readonly method: Method;
  readonly path: string;
  readonly body?: unknown;
  /** Sent as `Idempotency-Key`. */
  readonly key?: string;
}

export class Client {
  readonly #fetch: Fetch;
  #csrfToken: string | null = null;
  /** Called when the server says that nobody is logged in. */
  onUnauthorized: () => void = () => undefined;
  /** Called with each session that the server tells of. */
  onSession: (session: Session) => void = () => undefined;

  constructor(fetcher: Fetch = (path, init) => fetch(path, init)) {
    this.#fetch = fetcher;
  }

  async signOn(): Promise<SignOn> {
    return read(readSignOn, await this.#send({ method: 'GET', path: '/sign-on' }));
  }

  /** `totp` is a code of the second step, or one for recovery. */
  async logIn(username: string, password: string, totp?: string): Promise<Session> {
    const body = totp === undefined ? { username, password } : { username, password, totp };
    return this.#keep(await this.#send({ method: 'POST', path: '/session', body }));
  }

  /** Takes an invitation: the password is the new one. */
  async accept(token: string, password: string): Promise<Session> {
    return this.#keep(await this.#send({ method: 'POST', path: '/invitations', body: { token, password } }));
  }

  /** All other sessions end, and this one goes on under a new name. */
  async changePassword(current: string, wanted: string): Promise<Session> {
    const body = { current, new: wanted };
    return this.#keep(await this.#call({ method: 'POST', path: '/profile/password', body }));
  }

  async whoAmI(): Promise<Session> {
    return this.#keep(await this.#send({ method: 'GET', path: '/session' }));
  }

  async ask<T>(reader: (value: unknown) => T, request: Request): Promise<T> {
    return read(reader, await this.#call(request));
  }

  /** Asks for something that is answered without content. */
  async tell(request: Request): Promise<void> {
    await this.#call(request);
  }

  /** Answers where the browser has to go to be logged out by another service too, if anywhere. */
  async logOut(): Promise<string | null> {
    const answer = await this.#call({ method: 'DELETE', path: '/session' });
    this.#csrfToken = null;
    return read(readLogOut, answer);
  }

  async apps(): Promise<App[]> {
    return read(readApps, await this.#call({ method: 'GET', path: '/apps' }));
  }

  async instances(): Promise<Instance[]> {
    return read(readInstances, await this.#call({ method: 'GET', path: '/instances' }));
  }

  async instance(id: string): Promise<Instance> {
    return read(readInstance, await this.#call({ method: 'GET', path: instancePath(id) }));
  }

  /** The same `key` does not launch twice, whatever became of the first answer. */
  async launch(appId: string, key: string): Promise<Instance> {
    const body = { app_id: appId };
    return read(readInstance, await this.#call({ method: 'POST', path: '/instances', body, key }));
  }

  async transition(id: string, transition: Transition): Promise<Instance> {
    const path = `${instancePath(id)}/${transition}`;
    return read(readInstance, await this.#call({ method: 'POST', path }));
  }

  /** Puts off what would end it by itself. */
  async extend(id: string): Promise<Instance> {
    const path = `${instancePath(id)}/extend`;
    return read(readInstance, await this.#call({ method: 'POST', path }));
  }

  async remove(id: string): Promise<Instance> {
    return read(readInstance, await this.#call({ method: 'DELETE', path: instancePath(id) }));
  }

  /** Leave to open one tunnel; good once and for seconds only. */
  async ticket(id: string): Promise<Ticket> {
    const path = `${instancePath(id)}/tunnel`;
    return read(readTicket, await this.#call({ method: 'POST', path }));
  }

  #keep(value: unknown): Session {
    const session = read(readSession, value);
    this.#csrfToken = session.csrfToken;
    this.onSession(session);
    return session;
  }

  /** Like `#send`, and tells when nobody is logged in (any more): a wrong password is not that. */
  async #call(request: Request): Promise<unknown> {
    try {
      return await this.#sendFresh(request);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401 && error.code !== 'wrong') this.onUnauthorized();
      throw error;
    }
  }

  /** Another tab may have logged in anew, and the token changed with it: asks for it once. */
  async #sendFresh(request: Request): Promise<unknown> {
    try {
      return await this.#send(request);
    } catch (error) {
      const stale = error instanceof ApiError && error.status === 403 && request.method !== 'GET';
      if (!stale) throw error;
      const before = this.#csrfToken;
      await this.whoAmI();
      if (this.#csrfToken === before) throw error;
      return this.#send(request);
    }
  }

  async #send(request: Request): Promise<unknown> {
    const response = await this.#fetch(BASE + request.path, this.#init(request)).catch(asApiError);
    heard(response.headers.get('Date'));
    const body = await readBody(response);
    if (response.ok) return body;
    throw problem(response, body);
  }

  #init({ method, body, key }: Request): RequestInit {
    const headers: Record<string, string> = { Accept: 'application/json, application/problem+json' };
    if (method !== 'GET' && this.#csrfToken !== null) headers['X-CSRF-Token'] = this.#csrfToken;
    if (key !== undefined) headers['Idempotency-Key'] = key;
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    return {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      cache: 'no-store',
      credentials: 'same-origin',
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    };
  }
}

/** A name for one request. `crypto.randomUUID` exists on secure origins only. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function instancePath(id: string): string {
  return `/instances/${encodeURIComponent(id)}`;
}

function asApiError(error: unknown): never {
  const late = error instanceof DOMException && error.name === 'TimeoutError';
  throw new ApiError(late ? 'timeout' : 'network');
}

/** The JSON of an answer; nothing for an empty one or one that is not JSON. */
async function readBody(response: Response): Promise<unknown> {
  const body = await response.text().catch(asApiError);
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}

function problem(response: Response, body: unknown): ApiError {
  const document: Fields = typeof body === 'object' && body !== null ? (body as Fields) : {};
  const wait = retryAfter(response.headers.get('Retry-After'), document['retry_after'], Date.now());
  const { code, fields } = problemMarks(document);
  return new ApiError('problem', response.status, problemText(document), wait, code, fields);
}

function read<T>(reader: (value: unknown) => T, value: unknown): T {
  try {
    return reader(value);
  } catch (error) {
    if (error instanceof Unexpected) throw new ApiError('unexpected', 0, error.message);
    throw error;
  }
}
