import { describe, expect, it } from 'vitest';
import { age } from '../../src/lib/age';
import { hashOf, parseRoute, type Route } from '../../src/lib/route';
import { choose } from '../../src/lib/text';
import { en } from '../../src/lib/text/en';
import { asTheme, following } from '../../src/lib/theme';

describe('routes', () => {
  it('survive the way into the address and back', () => {
    const routes: Route[] = [
      { name: 'catalogue' },
      { name: 'instances' },
      { name: 'details', id: 'a/b c' },
      { name: 'launch' },
      { name: 'session', id: '5f0c' },
      { name: 'session', id: 'a/b?c#d ü%' },
      { name: 'profile' },
      { name: 'admin', part: null, id: null },
      { name: 'admin', part: 'audit', id: null },
      { name: 'admin', part: 'users', id: 'a/b?c#d ü%' },
    ];
    for (const route of routes) expect(parseRoute(hashOf(route))).toEqual(route);
  });

  it('keep the token of an invitation out of the address', () => {
    const route = parseRoute('#/invitation/a%2Fb_c-d');
    expect(route).toEqual({ name: 'invitation', token: 'a/b_c-d' });
    expect(hashOf(route)).toBe('#/');
  });

  it.each(['#/admin/nonsense/1', '#/admin//1', '#/admin/'])('%j is the first part of the administration', (hash) => {
    expect(parseRoute(hash)).toEqual({ name: 'admin', part: null, id: null });
  });

  it('have ids where there is something to show one of', () => {
    expect(parseRoute('#/admin/audit/7')).toEqual({ name: 'admin', part: 'audit', id: null });
    expect(parseRoute('#/admin/groups/g')).toEqual({ name: 'admin', part: 'groups', id: 'g' });
  });

  it.each(['#/invitation/', '', '#', '#/', '#/nonsense', '#/open', '#/open/', '#/open/%E0%A4%A', '#//', '#/../x'])('%j is the catalogue', (hash) => {
    expect(parseRoute(hash)).toEqual({ name: 'catalogue' });
  });
});

describe('age', () => {
  it.each([
    [-5000, 'just now'],
    [0, 'just now'],
    [59_999, 'just now'],
    [60_000, '1 min ago'],
    [3_599_999, '59 min ago'],
    [3_600_000, '1 h ago'],
    [86_400_000, '1 day ago'],
    [3 * 86_400_000, '3 days ago'],
  ])('%s ms: %s', (ms, words) => {
    expect(age(1e12 - ms, 1e12)).toBe(words);
  });
});

describe('durations', () => {
  it.each([
    [0, '0 s'],
    [0.2, '1 s'],
    [59, '59 s'],
    [60, '1 min'],
    [125, '2 min 5 s'],
    [3600, '1 h'],
    [3725, '1 h 2 min'],
    [-3, '0 s'],
  ])('%s s: %s', (s, words) => {
    expect(en.duration(s)).toBe(words);
  });
});

describe('languages', () => {
  it.each([
    [[], 'en'],
    [['en-GB'], 'en'],
    [['xx', 'EN'], 'en'],
    [['constructor', '__proto__'], 'en'],
  ])('%j: %s', (wanted, language) => {
    expect(choose(wanted)).toBe(language);
  });
});

describe('themes', () => {
  it('go round', () => {
    expect(following('system')).toBe('light');
    expect(following('light')).toBe('dark');
    expect(following('dark')).toBe('system');
  });

  it.each([null, 'blue', 7])('%s is as on the device', (value) => {
    expect(asTheme(value)).toBe('system');
  });
});
