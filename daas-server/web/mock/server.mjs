// The server's HTTP interface, in memory, for looking at the page and for its tests.

import { randomBytes, randomUUID } from 'node:crypto';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { WebSocketServer } from 'ws';
import { Directory } from './access/directory.mjs';
import { accept, logIn } from './access/log-in.mjs';
import { answer } from './access/routes.mjs';
import { ownQuota, sessionView } from './access/views.mjs';
import { apps } from './apps.mjs';
import { Desktop } from './desktop.mjs';
import { cookieOf, json, problem, readJson } from './http.mjs';
import { Instances } from './instances.mjs';
import { onSnapshots } from './snapshots.mjs';

const API = '/api/v1';
const INSTANCES_MAX = 8;

/** What the real server sends with the page. */
export const CSP =
  "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; " +
  "media-src 'self' blob:; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/** @type {Readonly<Record<string, string>>} */
const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};

/**
 * @typedef {import('node:http').IncomingMessage} Request
 * @typedef {import('node:http').ServerResponse} Response
 * @typedef {object} Session
 * @property {string} id
 * @property {string} user the id of who is logged in
 * @property {string} csrf_token
 * @property {string} created_at
 * @property {string} used_at
 * @property {string} address
 * @property {string} user_agent
 * @typedef {object} Tunnel
 * @property {string} id
 * @property {{ id: string, name: string }} user
 * @property {string} instance_id
 * @property {{ id: string, name: string }} app
 * @property {string} since
 * @property {string} address
 * @property {number} bytes_in
 * @property {number} bytes_out
 * @property {() => void} end
 * @typedef {object} Fault
 * @property {number} status
 * @property {Record<string, unknown>} [problem]
 * @property {Record<string, string>} [headers]
 * @property {string} [body] sent as it is, instead of a problem
 * @property {number} [times] how often; once where not given
 */

/**
 * @typedef {object} Options
 * @property {number} [port] 0, the default, chooses one
 * @property {string} [dist] folder of the built page
 * @property {number} [appCount] length of the catalogue
 * @property {number} [stepMs] how long each step of a start takes
 * @property {{ id: string, name: string }[]} [providers] other services to log in by
 * @property {number} [retryAfterS] how long log-ins are refused after too many tries
 */

export class Mock {
  /** @param {Options} options */
  constructor(options) {
    this.options = options;
    this.apps = apps(options.appCount ?? 5);
    this.instances = new Instances(options.stepMs ?? 900);
    this.directory = new Directory();
    /** Other services that vouch for people. */
    this.providers = options.providers ?? [];
    /** @type {Map<string, Tunnel>} what operators see */
    this.tunnels = new Map();
    /** @type {ReturnType<typeof import('./access/hosts.mjs').host>[]} */
    this.hosts = [];
    /** @type {Map<string, Session>} by cookie */
    this.sessions = new Map();
    /** @type {Map<string, { instance: import('./instances.mjs').Instance, user: string }>} */
    this.tickets = new Map();
    /** @type {Set<Desktop>} that are being looked at */
    this.desktops = new Set();
    /** @type {Desktop | null} */
    this.lastDesktop = null;
    /** @type {Set<{ response: Response, user: string }>} */
    this.listeners = new Set();
    /** @type {Map<string, Fault>} by method and path below the API, ids written as `:id` */
    this.faults = new Map();
    /** Whether there are live events. */
    this.live = true;
    /** @type {string[]} requests that were answered, for tests */
    this.log = [];
    this.failedTries = 0;
    this.blockedUntil = 0;
    this.http = createServer((request, response) => void this.handle(request, response));
    this.webSockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'guacamole' });
    this.http.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
    this.instances.on('change', (instance) => this.changed(instance));
  }

  /** @returns {Promise<this>} */
  listen() {
    return new Promise((resolve) => {
      this.http.listen(this.options.port ?? 0, '127.0.0.1', () => resolve(this));
    });
  }

  get url() {
    const address = this.http.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return `http://127.0.0.1:${address.port}`;
  }

  /** @returns {Promise<void>} */
  close() {
    this.instances.close();
    for (const desktop of this.desktops) desktop.drop();
    for (const { response } of this.listeners) response.end();
    return new Promise((resolve) => {
      this.http.close(() => resolve());
      this.http.closeAllConnections();
    });
  }

  /** The one desktop that is looked at. */
  get desktop() {
    const [desktop] = this.desktops;
    if (!desktop) throw new Error('nobody looks at a desktop');
    return desktop;
  }

  /** Breaks all tunnels without a word, as a network does. */
  dropTunnels() {
    for (const desktop of this.desktops) desktop.drop();
  }

  /**
   * @param {Request} request
   * @param {Response} response
   */
  async handle(request, response) {
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://mock');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    if (!pathname.startsWith(API)) return this.page(pathname, response);
    response.setHeader('Cache-Control', 'no-store');
    const path = pathname.slice(API.length);
    const method = request.method ?? 'GET';
    this.log.push(`${method} ${path}`);
    const [name, id] = routeOf(path);
    const route = `${method} ${name}`;
    if (this.fault(route, response)) return;
    const body = await readJson(request);
    if (route === 'GET /sign-on') return json(response, 200, { local: true, ldap: false, oidc: this.providers });
    if (path.startsWith('/sign-on/oidc/')) return void response.writeHead(302, { Location: '/?sign_on_error=denied' }).end();
    if (route === 'POST /session') return logIn(this, body, request, response);
    if (route === 'POST /invitations') return accept(this, body, request, response);
    const session = this.sessionOf(request);
    if (!session) return problem(response, 401, { detail: 'Log in first.' });
    if (method !== 'GET' && request.headers['x-csrf-token'] !== session.csrf_token) {
      return problem(response, 403, { detail: 'The page is out of date. Reload it.' });
    }
    const user = this.directory.user(session.user);
    const call = { mock: this, session, user, id, query, body, response };
    if (!answer(route, call)) this.route(route, { path, body, session, request, response });
  }

  /**
   * Answers as a test wants it. Returns whether it did.
   * @param {string} route
   * @param {Response} response
   */
  fault(route, response) {
    const fault = this.faults.get(route);
    if (!fault) return false;
    const times = fault.times ?? 1;
    if (times <= 1) this.faults.delete(route);
    else this.faults.set(route, { ...fault, times: times - 1 });
    for (const [name, value] of Object.entries(fault.headers ?? {})) response.setHeader(name, value);
    if (fault.status === 0) response.destroy();
    else if (fault.body !== undefined) response.writeHead(fault.status).end(fault.body);
    else problem(response, fault.status, fault.problem ?? {});
    return true;
  }

  /**
   * @param {string} route
   * @param {{ path: string, body: any, session: Session, request: Request, response: Response }} call
   */
  route(route, { path, body, session, request, response }) {
    const user = session.user;
    if (route === 'GET /session') return json(response, 200, sessionView(this, session));
    if (route === 'DELETE /session') return this.logOut(request, response);
    if (route === 'GET /apps') return json(response, 200, { items: this.catalogue(user), next_cursor: null });
    if (route === 'GET /events') return this.listenTo(user, response);
    if (route === 'GET /instances') {
      const items = this.instances.of(user).sort((a, b) => b.created_at.localeCompare(a.created_at));
      return json(response, 200, { items, next_cursor: null });
    }
    if (route === 'POST /instances') return this.launch(user, body, response);
    const [, , id = '', action = ''] = path.split('/');
    const instance = this.instances.find(id, user);
    if (!path.startsWith('/instances/') || !instance) return problem(response, 404, { detail: 'There is no such instance.' });
    if (route === 'GET /instances/:id') return json(response, 200, instance);
    if (route === 'POST /instances/:id/tunnel') return this.ticket(instance, user, response);
    if (route === 'GET /instances/:id/timeline') {
      return json(response, 200, { items: this.instances.timeline(instance) });
    }
    if (route.includes('/snapshots')) return onSnapshots(this.instances, instance, { route, body, response });
    if (route === 'POST /instances/:id/extend') return this.extend(instance, response);
    const wanted = route === 'DELETE /instances/:id' ? 'delete' : action;
    if (!this.instances.act(instance, wanted)) {
      return problem(response, 409, { detail: `Cannot ${wanted} an instance that is ${instance.state}.` });
    }
    json(response, 202, instance);
  }

  /**
   * The catalogue; who manages quotas sees them in it.
   * @param {string} user
   */
  catalogue(user) {
    const shown = this.directory.permissionsOf(this.directory.user(user)).includes('quotas_manage');
    return shown ? this.apps.map((app) => ({ ...app, quota: this.directory.appQuotas.get(app.id) ?? null })) : this.apps;
  }

  /**
   * @param {import('./access/directory.mjs').User} user
   * @param {Response} response
   * @param {Pick<Session, 'address' | 'user_agent'>} browser
   */
  beginSession(user, response, { address, user_agent }) {
    const cookie = randomBytes(16).toString('hex');
    const now = new Date().toISOString();
    const times = { created_at: now, used_at: now };
    const csrf_token = randomBytes(16).toString('hex');
    const session = { id: randomUUID(), user: user.id, csrf_token, ...times, address, user_agent };
    this.sessions.set(cookie, session);
    response.setHeader('Set-Cookie', `daas_session=${cookie}; HttpOnly; SameSite=Strict; Path=/`);
    return session;
  }

  /** @param {string} user */
  endSessionsOf(user) {
    for (const [cookie, session] of this.sessions) if (session.user === user) this.sessions.delete(cookie);
  }

  /**
   * @param {Request} request
   * @param {Response} response
   */
  logOut(request, response) {
    this.sessions.delete(cookieOf(request));
    response.setHeader('Set-Cookie', 'daas_session=; Max-Age=0; Path=/');
    response.writeHead(204).end();
  }

  /** @param {Request} request */
  sessionOf(request) {
    return this.sessions.get(cookieOf(request)) ?? null;
  }

  /**
   * @param {string} user
   * @param {any} body
   * @param {Response} response
   */
  launch(user, body, response) {
    const app = this.apps.find((entry) => entry.id === body?.app_id);
    if (!app) return problem(response, 404, { detail: 'There is no such application.' });
    if (this.instances.of(user).length >= INSTANCES_MAX) {
      return problem(response, 409, { detail: `You may have at most ${INSTANCES_MAX} instances. Delete one first.` });
    }
    const quota = ownQuota(this, this.directory.user(user));
    const limits = [quota, ...quota.apps.filter(({ app_id }) => app_id === app.id)];
    if (limits.some(({ limits: { instances }, used }) => instances !== null && used.instances >= instances)) {
      return problem(response, 409, { code: 'quota', detail: 'You have as many as you may. Delete one first.' });
    }
    json(response, 201, this.instances.launch(app, user));
  }

  /**
   * @param {import('./instances.mjs').Instance} instance
   * @param {string} user
   * @param {Response} response
   */
  ticket(instance, user, response) {
    if (instance.state !== 'running') {
      return problem(response, 409, { detail: `The instance is ${instance.state}.` });
    }
    const ticket = randomUUID();
    this.tickets.set(ticket, { instance, user });
    json(response, 200, {
      url: `${API}/tunnel`,
      ticket,
      expires_at: new Date(Date.now() + 30_000).toISOString(),
    });
  }

  /**
   * @param {import('./instances.mjs').Instance} instance
   * @param {Response} response
   */
  extend(instance, response) {
    if (instance.state !== 'running' || !instance.ends) return problem(response, 409, { detail: 'It cannot be put off.' });
    const { action, reason, after_s } = instance.ends;
    this.instances.endIn(instance, 3600, { action, reason, after_s });
    json(response, 200, instance);
  }

  /**
   * @param {string} user
   * @param {Response} response
   */
  listenTo(user, response) {
    if (!this.live) return problem(response, 404, {});
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write('event: hello\ndata: {}\n\n');
    const listener = { response, user };
    this.listeners.add(listener);
    const alive = setInterval(() => response.write(': still there\n\n'), 15_000);
    response.on('close', () => {
      clearInterval(alive);
      this.listeners.delete(listener);
    });
  }

  /** @param {import('./instances.mjs').Instance} instance */
  changed(instance) {
    const owner = this.instances.all.get(instance.id)?.owner;
    for (const { response, user } of this.listeners) {
      if (user === owner) response.write(`event: instance\ndata: ${JSON.stringify(instance)}\n\n`);
    }
    if (['stopping', 'stopped', 'deleting', 'suspending'].includes(instance.state)) {
      for (const desktop of this.desktops) {
        if (desktop.instance === instance) desktop.end(523, 'session ended');
      }
    }
  }

  /**
   * @param {Request} request
   * @param {import('node:stream').Duplex} socket
   * @param {Buffer} head
   */
  upgrade(request, socket, head) {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://mock');
    const own = request.headers.origin === `http://${request.headers.host}`;
    this.log.push(`UPGRADE ${pathname.slice(API.length)}`);
    if (pathname !== `${API}/tunnel` || !own || !this.sessionOf(request)) return void socket.destroy();
    if (this.faults.has('UPGRADE /tunnel')) return void socket.destroy();
    this.webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const ticket = searchParams.get('ticket') ?? '';
      const found = this.tickets.get(ticket);
      this.tickets.delete(ticket);
      if (!found) return webSocket.close(1000, '769');
      const number = (/** @type {string} */ name) => Number(searchParams.get(name));
      const size = { width: number('GUAC_WIDTH'), height: number('GUAC_HEIGHT'), dpi: number('GUAC_DPI') };
      this.look(webSocket, size, found.instance, found.user);
    });
  }

  /**
   * @param {import('ws').WebSocket} webSocket
   * @param {{ width: number, height: number, dpi: number }} size
   * @param {import('./instances.mjs').Instance} instance
   * @param {string} user
   */
  look(webSocket, size, instance, user) {
    const desktop = new Desktop(webSocket, size, instance);
    desktop.onused = () => this.instances.used(instance);
    const tunnel = this.addTunnel(this.directory.user(user), instance.app, () => desktop.end(523, 'session ended'), instance.id);
    this.desktops.add(desktop);
    this.lastDesktop = desktop;
    instance.tunnels++;
    webSocket.on('close', () => {
      this.desktops.delete(desktop);
      this.tunnels.delete(tunnel);
      instance.tunnels--;
    });
  }

  /**
   * @param {{ id: string, name: string }} user
   * @param {{ id: string, name: string }} app
   * @param {() => void} end
   */
  addTunnel(user, app, end = () => undefined, instance_id = String(randomUUID())) {
    const id = randomUUID();
    const [of, on] = [user, app].map((one) => ({ id: one.id, name: one.name }));
    if (!of || !on) throw new Error('nobody');
    const since = new Date().toISOString();
    const traffic = { bytes_in: 18_400, bytes_out: 5_230_000 };
    this.tunnels.set(id, { id, user: of, instance_id, app: on, since, address: '192.0.2.17', ...traffic, end });
    return id;
  }

  /**
   * The built page, with the policy of the real server.
   * @param {string} pathname
   * @param {Response} response
   */
  page(pathname, response) {
    const { dist } = this.options;
    const file = dist && join(dist, normalize(pathname === '/' ? '/index.html' : pathname));
    if (!file || !file.startsWith(dist) || !existsSync(file) || !statSync(file).isFile()) {
      return problem(response, 404, {});
    }
    response.setHeader('Content-Security-Policy', CSP);
    response.setHeader('Referrer-Policy', 'no-referrer');
    response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream' });
    createReadStream(file).pipe(response);
  }
}

/** Paths that begin so have an id behind them. */
const WITH_ID = /^\/(profile\/sessions|instances|users|groups|sessions|tokens|apps|hosts)\/([^/]+)/;

/**
 * The path with the id written as `:id`, and the id.
 * @param {string} path
 * @returns {[string, string]}
 */
function routeOf(path) {
  const id = WITH_ID.exec(path)?.[2] ?? '';
  return [path.replace(WITH_ID, '/$1/:id'), decodeURIComponent(id)];
}

/** @param {Options} [options] */
export function startMock(options = {}) {
  return new Mock(options).listen();
}
