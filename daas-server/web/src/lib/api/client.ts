/** The server's HTTP interface, typed. */

import { Unexpected, type Fields } from './decode';
import { ApiError, problemText, retryAfter } from './error';
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

const BASE = '/api/v1';
const TIMEOUT_MS = 20_000;

type Method = 'GET' | 'POST' | 'DELETE';
type Fetch = (path: string, init: RequestInit) => Promise<Response>;

interface Request {
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

  constructor(fetcher: Fetch = (path, init) => fetch(path, init)) {
    this.#fetch = fetcher;
  }

  async logIn(username: string, password: string): Promise<Session> {
    const body = { username, password };
    return this.#keep(readSession, await this.#send({ method: 'POST', path: '/session', body }));
  }

  async whoAmI(): Promise<Session> {
    return this.#keep(readSession, await this.#send({ method: 'GET', path: '/session' }));
  }

  async logOut(): Promise<void> {
    await this.#call({ method: 'DELETE', path: '/session' });
    this.#csrfToken = null;
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

  async remove(id: string): Promise<Instance> {
    return read(readInstance, await this.#call({ method: 'DELETE', path: instancePath(id) }));
  }

  /** Leave to open one tunnel; good once and for seconds only. */
  async ticket(id: string): Promise<Ticket> {
    const path = `${instancePath(id)}/tunnel`;
    return read(readTicket, await this.#call({ method: 'POST', path }));
  }

  #keep(reader: (value: unknown) => Session, value: unknown): Session {
    const session = read(reader, value);
    this.#csrfToken = session.csrfToken;
    return session;
  }

  /** Like `#send`, and tells when nobody is logged in (any more). */
  async #call(request: Request): Promise<unknown> {
    try {
      return await this.#sendFresh(request);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.onUnauthorized();
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
  return new ApiError('problem', response.status, problemText(document), wait);
}

function read<T>(reader: (value: unknown) => T, value: unknown): T {
  try {
    return reader(value);
  } catch (error) {
    if (error instanceof Unexpected) throw new ApiError('unexpected', 0, error.message);
    throw error;
  }
}
