import { describe, expect, it, vi } from 'vitest';
import { Client, newKey } from '../../src/lib/api/client';
import { ApiError, retryAfter } from '../../src/lib/api/error';
import { wordsFor } from '../../src/lib/text';

interface Call {
  readonly path: string;
  readonly init: RequestInit;
}

const SESSION = { user: { id: 'u', name: 'ada', role: 'user' }, csrf_token: 'token-1' };
const APP = { id: 'a', slug: 'debian', name: 'Debian', description: 'd', icon: 'desktop', kind: 'desktop', image_ready: true };
const INSTANCE = {
  id: 'i/1',
  app: APP,
  state: 'running',
  step: null,
  failure: null,
  created_at: '2026-11-24T10:00:00.000Z',
  changed_at: '2026-11-24T10:00:01.000Z',
  tunnels: 1,
};

/** A client whose server gives these answers, one after the other. */
function client(...answers: (Response | Error)[]): { client: Client; calls: Call[] } {
  const calls: Call[] = [];
  const fetcher = (path: string, init: RequestInit) => {
    calls.push({ path, init });
    const answer = answers.shift();
    if (answer instanceof Error || answer === undefined) return Promise.reject(answer ?? new Error('no answer left'));
    return Promise.resolve(answer);
  };
  return { client: new Client(fetcher), calls };
}

function json(value: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(value), { status, headers });
}

function header(call: Call | undefined, name: string): string | null {
  return new Headers(call?.init.headers).get(name);
}

async function errorOf(promise: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof ApiError) return error;
  throw new Error(`not refused as expected: ${String(error)}`);
}

describe('requests', () => {
  it('that change something carry the token of the log-in', async () => {
    const { client: api, calls } = client(json(SESSION), json(INSTANCE, 201), json({ items: [] }));
    await api.logIn('ada', 'secret');
    await api.launch('a', 'key-1');
    await api.apps();
    expect(calls.map(({ path, init }) => `${init.method} ${path}`)).toEqual([
      'POST /api/v1/session',
      'POST /api/v1/instances',
      'GET /api/v1/apps',
    ]);
    expect(calls[0]?.init.body).toBe('{"username":"ada","password":"secret"}');
    expect(calls.map((call) => header(call, 'X-CSRF-Token'))).toEqual([null, 'token-1', null]);
    expect(calls.map((call) => header(call, 'Idempotency-Key'))).toEqual([null, 'key-1', null]);
    expect(calls[1]?.init.body).toBe('{"app_id":"a"}');
  });

  it('write ids so that they stay one part of the path', async () => {
    const { client: api, calls } = client(json(INSTANCE), json(INSTANCE, 202), json(INSTANCE, 202));
    await api.instance('../session');
    await api.transition('i/1', 'stop');
    await api.remove('i?1');
    expect(calls.map(({ path }) => path)).toEqual([
      '/api/v1/instances/..%2Fsession',
      '/api/v1/instances/i%2F1/stop',
      '/api/v1/instances/i%3F1',
    ]);
  });

  it('are sent once more with a new token where the old one is not good any more', async () => {
    const renewed = { ...SESSION, csrf_token: 'token-2' };
    const { client: api, calls } = client(json(SESSION), json({}, 403), json(renewed), json(INSTANCE, 202));
    await api.whoAmI();
    await api.transition('i', 'stop');
    expect(header(calls[3], 'X-CSRF-Token')).toBe('token-2');
  });

  it('are not sent again where the token is the same: they are forbidden', async () => {
    const { client: api, calls } = client(json(SESSION), json({ detail: 'Not yours.' }, 403), json(SESSION));
    await api.whoAmI();
    const error = await errorOf(api.transition('i', 'stop'));
    expect(error.detail).toBe('Not yours.');
    expect(calls).toHaveLength(3);
  });
});

describe('answers', () => {
  it('are read into the types of the page', async () => {
    const { client: api } = client(json({ items: [INSTANCE], next_cursor: null }));
    const [instance] = await api.instances();
    expect(instance).toMatchObject({ id: 'i/1', state: 'running', createdAt: Date.UTC(2026, 10, 24, 10), tunnels: 1 });
  });

  it('may know more than the page', async () => {
    const newer = { ...INSTANCE, state: 'hibernating', step: 'wash', app: { ...APP, icon: 'robot', kind: 'pod' }, more: 1 };
    const { client: api } = client(json({ items: [newer] }));
    const [instance] = await api.instances();
    expect(instance).toMatchObject({ state: 'unknown', step: null, app: { icon: 'app', kind: 'application' } });
  });

  it.each<[string, unknown]>([
    ['no list', {}],
    ['a list of nothing', { items: [null] }],
    ['no id', { items: [{ ...INSTANCE, id: undefined }] }],
    ['no time', { items: [{ ...INSTANCE, created_at: 'soon' }] }],
    ['no app', { items: [{ ...INSTANCE, app: [] }] }],
    ['a text', 'hello'],
    ['nothing', null],
  ])('that are not what was promised are refused: %s', async (_, body) => {
    const { client: api } = client(json(body));
    const error = await errorOf(api.instances());
    expect(error.kind).toBe('unexpected');
    expect(wordsFor(error)).toMatch(/does not understand/);
  });

  it('that are no JSON at all are refused', async () => {
    const { client: api } = client(new Response('<html>proxy error</html>'));
    expect((await errorOf(api.apps())).kind).toBe('unexpected');
  });

  it.each(['https://evil.example/t', '//evil.example/t', '/\\evil.example', 'tunnel', '/t?x', '', '/t#x'])(
    'lead to no other place with a ticket: %s',
    async (url) => {
      const { client: api } = client(json({ url, ticket: 't', expires_at: '' }));
      expect((await errorOf(api.ticket('i'))).kind).toBe('unexpected');
    },
  );

  it('give a path of this server and a ticket', async () => {
    const { client: api } = client(json({ url: '/api/v1/tunnel', ticket: 't', expires_at: '2026-11-24T10:00:00Z' }));
    expect(await api.ticket('i')).toEqual({ path: '/api/v1/tunnel', ticket: 't' });
  });
});

describe('errors', () => {
  it('say what the server says', async () => {
    const { client: api } = client(json({ title: 'Conflict', detail: 'It is suspended.' }, 409));
    expect(wordsFor(await errorOf(api.transition('i', 'stop')))).toBe('It is suspended.');
  });

  it('say what is wrong with each field where there is no detail', async () => {
    const errors = [{ field: 'app_id', detail: 'is missing' }, 7, { field: 'x' }];
    const { client: api } = client(json({ errors }, 422));
    expect(wordsFor(await errorOf(api.launch('', 'key-1')))).toBe('is missing');
  });

  it.each([400, 401, 403, 404, 409, 418, 429, 500, 503])('of status %s have words of their own', async (status) => {
    const { client: api } = client(new Response('', { status }));
    expect(wordsFor(await errorOf(api.apps()))).toMatch(/^[A-Z].+\.$/);
  });

  it('of the network are told apart from those of the server', async () => {
    const { client: api } = client(new TypeError('failed to fetch'));
    const error = await errorOf(api.apps());
    expect(error.kind).toBe('network');
    expect(wordsFor(error)).toMatch(/network/);
  });

  it('of time are told apart', async () => {
    const { client: api } = client(new DOMException('late', 'TimeoutError'));
    expect((await errorOf(api.apps())).kind).toBe('timeout');
  });

  it('tell that nobody is logged in, but not when the log-in itself is wrong', async () => {
    const { client: api } = client(json({}, 401), json({}, 401));
    const told = vi.fn();
    api.onUnauthorized = told;
    await errorOf(api.logIn('ada', 'wrong'));
    expect(told).not.toHaveBeenCalled();
    await errorOf(api.apps());
    expect(told).toHaveBeenCalledOnce();
  });

  it('carry the wait that the server asks for', async () => {
    const { client: api } = client(json({}, 429, { 'Retry-After': '125' }));
    expect((await errorOf(api.logIn('a', 'b'))).retryAfterMs).toBe(125_000);
  });
});

it('keys of requests differ', () => {
  const keys = Array.from({ length: 100 }, newKey);
  expect(new Set(keys).size).toBe(100);
  expect(keys.every((key) => /^[0-9a-f]{32}$/.test(key))).toBe(true);
});

describe('Retry-After', () => {
  const now = Date.UTC(2026, 0, 1);

  it.each<[string | null, unknown, number | null]>([
    [null, undefined, null],
    ['7', undefined, 7000],
    ['7', 9, 9000],
    ['Thu, 01 Jan 2026 00:01:00 GMT', undefined, 60_000],
    ['Thu, 01 Jan 2020 00:01:00 GMT', undefined, 0],
    ['soon', undefined, null],
    ['-5', undefined, null],
    [null, 1e300, 86_400_000],
    [null, -4, 0],
    [null, Number.NaN, null],
  ])('%s and %s mean %s ms', (header, body, ms) => {
    const got = retryAfter(header, body, now);
    if (header === '-5') expect(got === null || got >= 0).toBe(true);
    else expect(got).toBe(ms);
  });
});
