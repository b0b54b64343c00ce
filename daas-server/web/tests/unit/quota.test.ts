import { describe, expect, it } from 'vitest';
import { DIMENSIONS, readOwnQuota, UNLIMITED, type Dimension, type OwnQuota, type Quota } from '../../src/lib/api/quota';
import { asLimit, draftsOf, fullFor, quotaOf, share, written } from '../../src/lib/quota';
import { amount, quota as words } from '../../src/lib/text/en/access';

const NOTHING = { instances: 0, cpu_millis: 0, memory_mib: 0, disk_mib: 0, hours_week: 0 };

function own(limits: Partial<Quota>, used: Partial<typeof NOTHING>, apps: OwnQuota['apps'] = []): OwnQuota {
  return { limits: { ...UNLIMITED, ...limits }, used: { ...NOTHING, ...used }, apps };
}

describe('a launch', () => {
  it.each<[string, OwnQuota | null, ReturnType<typeof fullFor>]>([
    ['nothing known', null, null],
    ['nothing limited', own({}, { instances: 99 }), null],
    ['room left', own({ instances: 3 }, { instances: 2 }), null],
    ['as many as one may', own({ instances: 3 }, { instances: 3 }), { dimension: 'instances', limit: 3, ofApp: false }],
    ['more than one may, since the limit was lowered', own({ instances: 3 }, { instances: 5 }), { dimension: 'instances', limit: 3, ofApp: false }],
    ['nothing allowed', own({ instances: 0 }, {}), { dimension: 'instances', limit: 0, ofApp: false }],
    ['hours used up', own({ instances: 3, hours_week: 40 }, { hours_week: 40.5 }), { dimension: 'hours_week', limit: 40, ofApp: false }],
  ])('%s', (_, quota, expected) => {
    expect(fullFor(quota, 'a')).toEqual(expected);
  });

  it('is refused by the limit of the application, for that one only', () => {
    const app = { appId: 'a', limits: { ...UNLIMITED, instances: 1 }, used: { ...NOTHING, instances: 1 } };
    const quota = own({ instances: 3 }, { instances: 1 }, [app]);
    expect(fullFor(quota, 'a')).toEqual({ dimension: 'instances', limit: 1, ofApp: true });
    expect(fullFor(quota, 'b')).toBeNull();
  });

  it('that is refused says what to do', () => {
    for (const dimension of DIMENSIONS) {
      for (const ofApp of [true, false]) expect(words.full({ dimension, limit: 2, ofApp })).toMatch(/Delete one|delete one|Try again/);
    }
  });
});

describe('limits in a form', () => {
  it.each<[Dimension, string, number | null | undefined]>([
    ['instances', '', null],
    ['instances', '  ', null],
    ['instances', '3', 3],
    ['instances', '0', 0],
    ['instances', '2.5', undefined],
    ['instances', '-1', undefined],
    ['instances', '1e3', undefined],
    ['instances', '0x10', undefined],
    ['instances', '٣', undefined],
    ['instances', '99999999999', undefined],
    ['cpu_millis', '0.5', 500],
    ['cpu_millis', '1,25', 1250],
    ['memory_mib', '1.5', 1536],
    ['disk_mib', 'much', undefined],
    ['hours_week', '40', 40],
  ])('%s %j', (dimension, text, limit) => {
    expect(asLimit(dimension, text)).toBe(limit);
  });

  it('come back as they were', () => {
    for (const dimension of DIMENSIONS) {
      for (const limit of [0, 1, 7, 999, 1000, 1023, 1025, 4097, 123_457]) {
        expect([dimension, limit, asLimit(dimension, written(dimension, limit))]).toEqual([dimension, limit, limit]);
      }
    }
  });

  it('are a quota, or name the fields that are none', () => {
    expect(quotaOf(draftsOf({ ...UNLIMITED, cpu_millis: 1500 }))).toEqual({ quota: { ...UNLIMITED, cpu_millis: 1500 }, wrong: [] });
    expect(quotaOf({ ...draftsOf(UNLIMITED), disk_mib: 'x', hours_week: '-' }).wrong).toEqual(['disk_mib', 'hours_week']);
  });
});

describe('words', () => {
  it.each<[Dimension, number, string]>([
    ['instances', 1, '1 desktop'],
    ['instances', 3, '3 desktops'],
    ['cpu_millis', 1500, '1.5 CPUs'],
    ['memory_mib', 2048, '2 GiB'],
    ['disk_mib', 1000, '0.98 GiB'],
    ['hours_week', 3.456, '3.46 h'],
  ])('%s %s: %s', (dimension, value, expected) => {
    expect(amount(dimension, value)).toBe(expected);
  });

  it('of all limits are one line', () => {
    expect(words.limitsInShort(UNLIMITED)).toBe('No limit');
    expect(words.limitsInShort({ ...UNLIMITED, instances: 2, memory_mib: 4096 })).toBe('2 desktops, 4 GiB memory');
  });
});

describe('bars', () => {
  it.each([[0, 10, 0], [5, 10, 0.5], [10, 10, 1], [15, 10, 1], [0, 0, 1], [3, 0, 1], [-1, 10, 0]])('%s of %s', (used, limit, part) => {
    expect(share(used, limit)).toBe(part);
  });
});

describe('answers', () => {
  it('may leave limits and applications out', () => {
    expect(readOwnQuota({ limits: { instances: 2 }, used: { instances: 1 } })).toEqual(own({ instances: 2 }, { instances: 1 }));
    expect(() => readOwnQuota({ limits: { instances: 'two' }, used: {} })).toThrow('quota.limits.instances');
  });
});
