import { describe, expect, it } from 'vitest';
import { dispositionOf, type EndReason } from '../../src/lib/guac/status';
import { ATTEMPTS_MAX, HELD_MS, IDLE, next, WAIT_MAX_MS, type Link, type LinkEvent } from '../../src/lib/reconnect';
import { integer, pick, random } from './random';

const REASONS: readonly EndReason[] = ['lost', 'busy', 'internal', 'no_answer', 'taken_over', 'idle', 'ended', 'not_allowed', 'too_slow'];

function lost(reason: EndReason = 'lost', waitMs: number | null = null): LinkEvent {
  return { type: 'lost', cause: { reason, detail: '' }, waitMs };
}

function run(events: readonly LinkEvent[], from: Link = IDLE, now = 0): Link {
  return events.reduce((link, event) => next(link, event, now, 0.5), from);
}

describe('one after the other', () => {
  it('connects, is lost, waits, connects again', () => {
    const connecting = run([{ type: 'start' }]);
    expect(connecting).toEqual({ phase: 'connecting', attempt: 1 });
    const connected = next(connecting, { type: 'shown' }, 100, 0.5);
    expect(connected).toEqual({ phase: 'connected', attempt: 1, since: 100 });
    const waiting = next(connected, lost(), 100 + HELD_MS, 0.5);
    expect(waiting).toMatchObject({ phase: 'waiting', attempt: 1, until: 100 + HELD_MS + 1000 });
    expect(next(waiting, { type: 'due' }, 0, 0.5)).toEqual({ phase: 'connecting', attempt: 1 });
  });

  it('does not take back a desktop that somebody else took', () => {
    const link = run([{ type: 'start' }, { type: 'shown' }, lost('taken_over')]);
    expect(link).toMatchObject({ phase: 'ended', gaveUp: false });
    expect(run([{ type: 'start' }], link)).toEqual({ phase: 'connecting', attempt: 1 });
  });

  it('waits as long as the server asks, but not for ever', () => {
    expect(run([{ type: 'start' }, lost('busy', 30_000)])).toMatchObject({ until: 30_000 });
    expect(run([{ type: 'start' }, lost('busy', 1e12)])).toMatchObject({ until: WAIT_MAX_MS });
    expect(run([{ type: 'start' }, lost('busy', 0)])).toMatchObject({ until: 1000 });
  });

  it('counts a connection that did not hold as a failed attempt', () => {
    const flapping = run([{ type: 'start' }, { type: 'shown' }, lost()]);
    expect(flapping).toMatchObject({ phase: 'waiting', attempt: 2 });
  });
});

describe('whatever happens', () => {
  const EVENTS = (pickOne: () => number): LinkEvent =>
    pick(pickOne, [{ type: 'start' }, { type: 'shown' }, { type: 'due' }, { type: 'leave' }, lost(pick(pickOne, REASONS))]);

  it('stays within its bounds', () => {
    const chance = random(5);
    for (let round = 0; round < 500; round++) {
      let link: Link = IDLE;
      let now = 0;
      for (let step = 0; step < 60; step++) {
        now += integer(chance, 30_000);
        const before = link;
        const event = EVENTS(chance);
        link = next(link, event, now, chance());
        if ('attempt' in link) expect(link.attempt).toBeLessThanOrEqual(ATTEMPTS_MAX);
        if (link.phase === 'waiting' && link !== before) {
          expect(link.until - now).toBeGreaterThanOrEqual(800);
          expect(link.until - now).toBeLessThanOrEqual(WAIT_MAX_MS);
          expect(dispositionOf(link.cause.reason)).toBe('retry');
        }
        if (event.type === 'leave') expect(link).toEqual(IDLE);
        // Only a person, or a desktop that runs, leads out of an end.
        if (before.phase === 'ended' && link !== before) expect(['start', 'leave']).toContain(event.type);
      }
    }
  });

  it('ends: with nothing but failures it gives up, whether or not a picture is seen', () => {
    const chance = random(6);
    for (let round = 0; round < 200; round++) {
      let link = next(IDLE, { type: 'start' }, 0, 0);
      let now = 0;
      let attempts = 0;
      while (link.phase !== 'ended' && attempts < 100) {
        attempts++;
        if (chance() < 0.5) link = next(link, { type: 'shown' }, now, chance());
        link = next(link, lost(), now + integer(chance, HELD_MS), chance());
        if (link.phase === 'waiting') now = link.until;
        link = next(link, { type: 'due' }, now, chance());
      }
      expect(attempts).toBe(ATTEMPTS_MAX);
      expect(link).toMatchObject({ phase: 'ended', gaveUp: true });
      // The waits, and what the connections took that did not hold.
      expect(now).toBeLessThan(100_000 + ATTEMPTS_MAX * HELD_MS);
    }
  });

  it('goes on as long as connections hold', () => {
    let link = next(IDLE, { type: 'start' }, 0, 0.5);
    let now = 0;
    for (let round = 0; round < 100; round++) {
      link = next(link, { type: 'shown' }, now, 0.5);
      now += HELD_MS;
      link = next(link, lost(), now, 0.5);
      expect(link.phase).toBe('waiting');
      link = next(link, { type: 'due' }, now, 0.5);
    }
    expect(link).toEqual({ phase: 'connecting', attempt: 1 });
  });
});
