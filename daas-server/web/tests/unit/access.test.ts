import { describe, expect, it } from 'vitest';
import { changesOf } from '../../src/lib/admin';
import { readAccountDetail, readAuditEntry, readCreated, readGroupDetail } from '../../src/lib/api/access';
import { exportUrl, withQuery } from '../../src/lib/api/admin';
import { Client } from '../../src/lib/api/client';
import { ApiError, problemMarks } from '../../src/lib/api/error';
import { readSession } from '../../src/lib/api/types';
import { browserName } from '../../src/lib/browser-name';
import { bytesInWords } from '../../src/lib/bytes';
import { diff } from '../../src/lib/diff';
import { wordsFor } from '../../src/lib/text';

const NO_LIMITS = { instances: null, cpu_millis: null, memory_mib: null, disk_mib: null, hours_week: null };
const USER = {
  id: 'u',
  name: 'ada',
  role: 'operator',
  source: 'ldap',
  disabled: false,
  has_password: false,
  totp_enabled: true,
  created_at: '2026-11-24T10:00:00Z',
  last_login_at: null,
  groups: [{ id: 'g', name: 'Group' }],
  instances: 2,
};

describe('what the server says of people', () => {
  it('is read', () => {
    const rules = [{ permission: 'apps_launch', app_id: 'a', effect: 'deny' }, { permission: 'newer', app_id: null, effect: 'allow' }];
    const user = readAccountDetail({ ...USER, rules, quota: { ...NO_LIMITS, instances: 3 } });
    expect(user).toMatchObject({ role: 'operator', source: 'ldap', totpEnabled: true, lastLoginAt: null });
    expect(user.rules).toEqual([
      { permission: 'apps_launch', appId: 'a', effect: 'deny' },
      { permission: 'newer', appId: null, effect: 'allow' },
    ]);
    expect(user.quota.instances).toBe(3);
    const group = { id: 'g', name: 'Group', members: 1, created_at: USER.created_at, quota: NO_LIMITS };
    expect(readGroupDetail({ ...group, users: [{ id: 'u', name: 'ada' }] }).users).toEqual([{ id: 'u', name: 'ada' }]);
    expect(readCreated({ user: USER, invitation: null }).invitation).toBeNull();
  });

  it('never grants more than is known', () => {
    const user = { id: 'u', name: 'ada', role: 'emperor', permissions: ['apps_launch', 'fly', 7] };
    expect(readSession({ user, csrf_token: 't' }).user).toMatchObject({ role: 'user', permissions: ['apps_launch'] });
    const bare = readSession({ user: { id: 'u', name: 'ada' }, csrf_token: 't' }).user;
    expect(bare).toMatchObject({ source: 'local', totpEnabled: false, permissions: [] });
    expect(readAccountDetail({ ...USER, rules: [{ permission: 'x', effect: 'perhaps' }], quota: {} }).rules[0]?.effect).toBe('deny');
  });

  it('may be missing in the audit log', () => {
    const entry = readAuditEntry({ seq: 1, at: USER.created_at, action: 'x', outcome: 'odd', actor: null, before: null }, 'audit');
    expect(entry).toMatchObject({ actor: '', outcome: 'failed', before: null, after: null });
  });
});

describe('logging out', () => {
  const logOut = (status: number, body: string | null) =>
    new Client(() => Promise.resolve(new Response(body, { status }))).logOut();

  it('may go on at another service', async () => {
    expect(await logOut(204, null)).toBeNull();
    const url = 'https://login.example.org/end?id_token_hint=x';
    expect(await logOut(200, JSON.stringify({ log_out_url: url }))).toBe(url);
    for (const wrong of ['javascript:alert(1)', '/end', '', 7]) {
      await expect(logOut(200, JSON.stringify({ log_out_url: wrong }))).rejects.toThrow();
    }
  });
});

describe('what is sent', () => {
  const user = { name: 'ada', role: 'user', disabled: false, groups: [{ id: 'g', name: 'G' }, { id: 'h', name: 'H' }] } as const;

  it('is only what differs', () => {
    expect(changesOf(user, { ...user, groups: [...user.groups].reverse() })).toEqual({});
    expect(changesOf(user, { ...user, role: 'admin', groups: [] })).toEqual({ role: 'admin', group_ids: [] });
    expect(changesOf(user, { ...user, name: 'Ada', disabled: true })).toEqual({ name: 'Ada', disabled: true });
    expect(changesOf(user, { ...user, groups: [user.groups[0], { id: 'i', name: 'I' }] })).toEqual({ group_ids: ['g', 'i'] });
  });

  it('stays one parameter each', () => {
    expect(withQuery('/users', { q: '', cursor: null })).toBe('/users');
    expect(withQuery('/users', { q: 'a&limit=9 #ü', cursor: '5' })).toBe('/users?q=a%26limit%3D9+%23%C3%BC&cursor=5');
    const filter = { actor: 'a b', action: '', target: '', from: '', to: '' };
    expect(exportUrl('csv', filter)).toBe('/api/v1/audit/export?format=csv&actor=a+b');
  });
});

describe('errors', () => {
  it('have words of their own where the server has a code', () => {
    expect(wordsFor(new ApiError('problem', 409, 'x', null, 'last_admin'))).toContain('last administrator');
    expect(wordsFor(new ApiError('problem', 409, 'The server says this.', null, 'constructor'))).toBe('The server says this.');
  });

  it('name fields', () => {
    const errors = [{ field: 'name', detail: 'Taken.' }, { detail: 'Odd.' }, null, { field: 'x' }];
    expect(problemMarks({ code: 'invalid', errors })).toEqual({
      code: 'invalid',
      fields: [{ field: 'name', detail: 'Taken.' }, { field: '', detail: 'Odd.' }],
    });
  });

  it('about a wrong password do not log anybody out', async () => {
    for (const [code, out] of [['wrong', false], ['', true]] as const) {
      const client = new Client(() => Promise.resolve(new Response(JSON.stringify({ code }), { status: 401 })));
      let loggedOut = false;
      client.onUnauthorized = () => (loggedOut = true);
      await client.changePassword('a', 'b').catch(() => undefined);
      expect(loggedOut).toBe(out);
    }
  });
});

describe('differences', () => {
  it('are told part by part', () => {
    const before = { name: 'ada', quota: { instances: 3, hours_week: null }, groups: ['a', 'b'], old: true };
    const after = { name: 'ada', quota: { instances: 4, hours_week: null }, groups: ['a'], new: { deep: [1, { x: 2 }] } };
    expect(diff(before, after)).toEqual([
      { path: 'name', change: 'same', before: 'ada', after: 'ada' },
      { path: 'quota.instances', change: 'changed', before: '3', after: '4' },
      { path: 'quota.hours_week', change: 'same', before: '', after: '' },
      { path: 'groups', change: 'changed', before: 'a, b', after: 'a' },
      { path: 'old', change: 'removed', before: 'true', after: null },
      { path: 'new.deep', change: 'added', before: null, after: '[1,{"x":2}]' },
    ]);
  });

  it('of nothing, of plain values and of very much have an end', () => {
    expect(diff(null, null)).toEqual([]);
    expect(diff(null, 'text')).toEqual([{ path: '', change: 'added', before: null, after: 'text' }]);
    let deep: unknown = 1;
    for (let n = 0; n < 100; n++) deep = { deep };
    expect(diff(deep, null)).toHaveLength(1);
    const wide = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`k${n}`, n]));
    expect(diff(wide, null).length).toBeLessThanOrEqual(200);
    expect(diff(JSON.parse('{"__proto__":{"x":1}}'), null)[0]?.path).toBe('__proto__.x');
  });
});

describe('browsers', () => {
  it.each([
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox, Linux'],
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0', 'Edge, Windows'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1', 'Safari, iOS'],
    ['curl/8.5.0', 'curl/8.5.0'],
    ['', ''],
  ])('%s', (userAgent, name) => {
    expect(browserName(userAgent)).toBe(name);
  });
});

describe('amounts of data', () => {
  it.each([[0, '0 B'], [999, '999 B'], [1000, '1.0 kB'], [999_949, '1.0 MB'], [5_230_000, '5.2 MB'], [123e9, '123 GB'], [9e15, '9000 TB']])(
    '%s: %s',
    (bytes, words) => expect(bytesInWords(bytes)).toBe(words),
  );
});
