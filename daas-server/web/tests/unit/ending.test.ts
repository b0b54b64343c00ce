import { describe, expect, it } from 'vitest';
import { readInstance, type End, type Instance } from '../../src/lib/api/types';
import { countdown, minutesLeft, upcoming, warningOf, warnsFrom } from '../../src/lib/ending';
import { panelOf } from '../../src/lib/panel';
import { IDLE } from '../../src/lib/reconnect';
import { heard, serverNow } from '../../src/lib/server-time';

const MINUTE = 60_000;

function end(more: Partial<End> = {}): End {
  return { at: 100 * MINUTE, action: 'stop', reason: 'idle', afterMs: 30 * MINUTE, ...more };
}

describe('a warning', () => {
  it('comes five minutes before, or after two thirds of a short time', () => {
    expect(warnsFrom(end())).toBe(95 * MINUTE);
    expect(warnsFrom(end({ afterMs: 6 * MINUTE }))).toBe(98 * MINUTE);
    expect(warningOf(end(), null, 95 * MINUTE - 1)).toBeNull();
    expect(warningOf(end(), null, 96 * MINUTE)).toEqual({ end: end(), leftMs: 4 * MINUTE });
    expect(warningOf(end(), null, 101 * MINUTE)?.leftMs).toBe(0);
    expect(warningOf(null, null, 0)).toBeNull();
  });

  it('of idleness goes away with any input, others do not', () => {
    expect(upcoming(end(), 96 * MINUTE)?.at).toBe(126 * MINUTE);
    expect(warningOf(end(), 96 * MINUTE, 96 * MINUTE)).toBeNull();
    // What the server knows already counts as well.
    expect(upcoming(end(), 1 * MINUTE)?.at).toBe(100 * MINUTE);
    expect(warningOf(end({ reason: 'lifetime' }), 96 * MINUTE, 96 * MINUTE)?.leftMs).toBe(4 * MINUTE);
  });

  it('counts down in minutes and seconds, and is read out in minutes', () => {
    expect([272_000, 271_001, 60_000, 9_000, 0].map(countdown)).toEqual(['4:32', '4:32', '1:00', '0:09', '0:00']);
    expect([272_000, 240_000, 1_000, 0].map(minutesLeft)).toEqual([5, 4, 1, 1]);
  });
});

describe('the time of the server', () => {
  it('is that of this device, unless they differ', () => {
    const now = Date.UTC(2026, 0, 31, 12);
    heard(new Date(now + 1_000).toUTCString(), now);
    expect(serverNow(now)).toBe(now);
    heard(new Date(now - 600_000).toUTCString(), now);
    expect(serverNow(now)).toBe(now - 600_000);
    heard(null, now);
    heard('yesterday', now);
    expect(serverNow(now)).toBe(now - 600_000);
    heard(new Date(now).toUTCString(), now);
    expect(serverNow(now)).toBe(now);
  });
});

describe('an instance', () => {
  const app = { id: 'a', slug: 'a', name: 'A', icon: 'app', kind: 'desktop' };
  const times = { created_at: '2026-01-31T12:00:00Z', changed_at: '2026-01-31T12:00:00Z' };
  const read = (more: object): Instance => readInstance({ id: 'i', app, state: 'running', ...times, ...more });

  it('says when and why it ends', () => {
    const ends = { at: '2026-01-31T13:00:00Z', action: 'suspend', reason: 'lifetime', after_s: 3600 };
    const { ends: got, canExtend } = read({ ends, can_extend: true });
    const at = Date.UTC(2026, 0, 31, 13);
    expect([got, canExtend]).toEqual([{ at, action: 'suspend', reason: 'lifetime', afterMs: 3_600_000 }, true]);
    expect(read({}).ends).toBeNull();
    expect(read({ ends: { ...ends, reason: 'the moon' } }).ends).toBeNull();
    expect(() => read({ ends: { ...ends, at: 'soon' } })).toThrow();
  });

  it('that was suspended by itself says why', () => {
    const instance = read({ state: 'suspended', failure: { action: 'suspend', text: 'Nobody looked.' } });
    const panel = panelOf({ instance, gone: false, launchProblem: null, link: IDLE, seen: true });
    expect(panel).toEqual({ kind: 'asleep', wake: 'resume', why: 'Nobody looked.' });
  });
});
