import { describe, expect, it } from 'vitest';
import type { Instance, InstanceState } from '../../src/lib/api/types';
import { canDelete, canOpen, merge, moodOf, offered, transitionsOf, wakeOf } from '../../src/lib/instances';
import { panelOf, type Situation } from '../../src/lib/panel';
import { IDLE } from '../../src/lib/reconnect';
import { shownSteps, type Progress } from '../../src/lib/steps';

const STATES: readonly InstanceState[] = [
  'requested', 'starting', 'running', 'suspending', 'suspended', 'resuming', 'stopping', 'stopped', 'deleting', 'deleted', 'failed', 'unknown',
];

function instance(more: Partial<Instance> = {}): Instance {
  const app = { id: 'a', slug: 'a', name: 'A', icon: 'app', kind: 'desktop' } as const;
  const abilities = { suspend: true, snapshot: true };
  const times = { createdAt: 1, changedAt: 1 };
  return { id: 'i', app, state: 'running', step: null, failure: null, ...times, tunnels: 0, ends: null, canExtend: false, abilities, stale: false, host: '', ...more };
}

describe('states', () => {
  it('that are on their way offer no opposite action', () => {
    for (const state of ['suspending', 'resuming', 'stopping', 'deleting', 'deleted', 'unknown'] as const) {
      expect(transitionsOf(state)).toEqual([]);
    }
  });

  it('offer only what the host can do', () => {
    const abilities = { suspend: false, snapshot: false };
    for (const state of STATES) expect(offered(instance({ state }))).toEqual(transitionsOf(state));
    expect(offered(instance({ abilities }))).toEqual(['stop']);
    // What sleeps all the same can be woken.
    expect(offered(instance({ abilities, state: 'suspended' }))).toEqual(['resume', 'stop']);
  });

  it('can be woken only by what is allowed in them', () => {
    for (const state of STATES) {
      const wake = wakeOf(state);
      if (wake) expect(transitionsOf(state)).toContain(wake);
      if (wake) expect(canOpen(state)).toBe(true);
    }
  });

  it('can all be deleted but those that are gone', () => {
    expect(STATES.filter((state) => !canDelete(state))).toEqual(['deleting', 'deleted']);
  });

  it('that change by themselves look busy', () => {
    expect(STATES.filter((state) => moodOf(state) === 'busy')).toEqual(['requested', 'starting', 'suspending', 'resuming', 'stopping', 'deleting']);
  });
});

describe('merge', () => {
  it('replaces, adds in front and removes', () => {
    const old = instance({ id: 'old', createdAt: 1 });
    const fresh = instance({ id: 'new', createdAt: 2 });
    expect(merge([old], fresh).map(({ id }) => id)).toEqual(['new', 'old']);
    expect(merge([fresh, old], { ...old, state: 'stopped' })[1]?.state).toBe('stopped');
    expect(merge([fresh, old], { ...old, state: 'deleted' })).toEqual([fresh]);
  });

  it('does not go back in time', () => {
    const list = [instance({ state: 'running', changedAt: 10 })];
    expect(merge(list, instance({ state: 'starting', changedAt: 9 }))).toEqual(list);
    expect(merge(list, instance({ state: 'stopping', changedAt: 10 }))[0]?.state).toBe('stopping');
  });
});

describe('steps', () => {
  const base: Progress = { from: null, instance: null, lastStep: null, connected: false, failed: false };
  const line = (progress: Partial<Progress>) => shownSteps({ ...base, ...progress }).map(({ id, status }) => `${id} ${status}`);

  it.each<[Partial<Progress>, string[]]>([
    [{}, ['image active', 'container todo', 'desktop todo', 'connect todo']],
    [{ instance: { state: 'starting', step: 'container' } }, ['image done', 'container active', 'desktop todo', 'connect todo']],
    [{ instance: { state: 'starting', step: 'ready' } }, ['image done', 'container done', 'desktop done', 'connect active']],
    [{ instance: { state: 'running', step: null } }, ['image done', 'container done', 'desktop done', 'connect active']],
    [{ instance: { state: 'running', step: null }, connected: true }, ['image done', 'container done', 'desktop done', 'connect done']],
    [{ instance: { state: 'failed', step: null }, lastStep: 'desktop', failed: true }, ['image done', 'container done', 'desktop failed', 'connect todo']],
    [{ from: 'suspended', instance: { state: 'resuming', step: null } }, ['resume active', 'connect todo']],
    [{ from: 'suspended', instance: { state: 'running', step: null } }, ['resume done', 'connect active']],
  ])('%j', (progress, expected) => {
    expect(line(progress)).toEqual(expected);
  });
});

describe('panel', () => {
  const base: Situation = { instance: instance(), gone: false, launchProblem: null, link: IDLE, seen: false };
  const kind = (situation: Partial<Situation>) => panelOf({ ...base, ...situation }).kind;
  const cause = { reason: 'lost', detail: '' } as const;

  it('lets nothing but a picture of a running desktop through', () => {
    for (const state of STATES) {
      const connected = kind({ instance: instance({ state }), link: { phase: 'connected', attempt: 1, since: 0 } });
      expect(connected === 'none').toBe(state === 'running');
    }
  });

  it.each<[Partial<Situation>, string]>([
    [{ instance: null }, 'progress'],
    [{ instance: null, launchProblem: 'no' }, 'launch-failed'],
    [{ gone: true }, 'gone'],
    [{ link: { phase: 'connecting', attempt: 1 } }, 'progress'],
    [{ link: { phase: 'connecting', attempt: 1 }, seen: true }, 'trying'],
    [{ link: { phase: 'connecting', attempt: 2 } }, 'trying'],
    [{ link: { phase: 'waiting', attempt: 2, until: 5, cause } }, 'waiting'],
    [{ link: { phase: 'ended', cause, gaveUp: true } }, 'ended'],
    [{ instance: instance({ state: 'stopped' }), link: { phase: 'ended', cause, gaveUp: false } }, 'off'],
    [{ instance: instance({ state: 'suspended' }) }, 'asleep'],
    [{ instance: instance({ state: 'deleted' }) }, 'gone'],
    [{ instance: instance({ state: 'unknown' }) }, 'busy'],
  ])('%j', (situation, expected) => {
    expect(kind(situation)).toBe(expected);
  });

  it('says why the server stopped it', () => {
    const failure = { action: 'stop', text: 'The hours are used up.' } as const;
    const stopped = instance({ state: 'stopped', failure });
    expect(panelOf({ ...base, instance: stopped })).toEqual({ kind: 'off', wake: 'start', why: failure.text });
    expect(panelOf({ ...base, instance: instance({ state: 'stopped' }) })).toEqual({ kind: 'off', wake: 'start', why: '' });
  });
});
