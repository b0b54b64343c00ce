import { describe, expect, it } from 'vitest';
import { Client } from '../../src/lib/api/client';
import { DetailsApi, readGoesOn, readSnapshots, readTimeline } from '../../src/lib/api/details';
import { readInstance } from '../../src/lib/api/types';
import { canGoBack, canTake, snapshotNameFault, suggestedName } from '../../src/lib/snapshots';

/** An interface whose server answers all the same, and what was asked of it. */
function api(status: number, body?: unknown): { asked: string[]; details: DetailsApi } {
  const asked: string[] = [];
  const client = new Client((path, init) => {
    asked.push(`${init.method} ${path} ${typeof init.body === 'string' ? init.body : ''}`.trim());
    return Promise.resolve(new Response(body === undefined ? null : JSON.stringify(body), { status }));
  });
  return { asked, details: new DetailsApi(client) };
}

describe('what the server says of an instance', () => {
  it('may be what it went through', () => {
    const failure = { action: 'start', text: 'The image is missing.' };
    const items = [
      { at: '2026-11-24T10:00:00.000Z', state: 'starting', duration_ms: 1250, failure: null },
      { at: '2026-11-24T10:00:01.250Z', state: 'failed', duration_ms: null, failure },
      { at: '2026-11-24T10:00:02.000Z', state: 'moving', duration_ms: null, failure: null },
    ];
    const [first, second, third] = readTimeline({ items });
    expect(first).toEqual({ at: Date.UTC(2026, 10, 24, 10), state: 'starting', durationMs: 1250, failure: null });
    expect(second).toMatchObject({ state: 'failed', durationMs: null, failure });
    expect(third?.state).toBe('unknown');
    expect(() => readTimeline({ items: [{ ...items[0], duration_ms: -1 }] })).toThrow('duration_ms');
    expect(() => readTimeline({ items: [{ ...items[0], at: 'now' }] })).toThrow('timeline.items[0].at');
  });

  it('may be what is kept of it', () => {
    const items = [{ name: 'before', made_at: '2026-11-24T10:00:00.000Z' }];
    expect(readSnapshots({ items })).toEqual([{ name: 'before', madeAt: Date.UTC(2026, 10, 24, 10) }]);
    expect(() => readSnapshots({ items: [{ name: 7 }] })).toThrow('snapshots.items[0].name');
  });

  it('is what its host can do, and nothing where that is not told', () => {
    const app = { id: 'a', slug: 'a', name: 'A', icon: 'app', kind: 'desktop' };
    const times = { created_at: '2026-11-24T10:00:00Z', changed_at: '2026-11-24T10:00:00Z' };
    const plain = { id: 'i', app, state: 'running', ...times };
    expect(readInstance({ ...plain, abilities: { suspend: true, snapshot: false } }).abilities).toEqual({ suspend: true, snapshot: false });
    expect(readInstance(plain).abilities).toEqual({ suspend: false, snapshot: false });
    expect(() => readInstance({ ...plain, abilities: 'all' })).toThrow('instance.abilities');
  });

  it('tells whether something goes on', async () => {
    expect(readGoesOn(undefined)).toBe(false);
    expect(readGoesOn({ goes_on: true })).toBe(true);
    expect(await api(204).details.take('i', 'x1')).toBe(false);
    expect(await api(202, { goes_on: true }).details.take('i', 'x1')).toBe(true);
  });

  it('is asked for by its id, and by names as they are', async () => {
    const { asked, details } = api(204);
    await details.take('i/1', 'before');
    await details.goBack('i/1', 'a b');
    await details.remove('i/1', '../x');
    expect(asked).toEqual([
      'POST /api/v1/instances/i%2F1/snapshots {"name":"before"}',
      'POST /api/v1/instances/i%2F1/snapshots/a%20b/rollback',
      'DELETE /api/v1/instances/i%2F1/snapshots/..%2Fx',
    ]);
  });
});

describe('snapshots', () => {
  it('have names of a form', () => {
    for (const good of ['ab', 'Before-update_2', 'x'.repeat(40)]) expect(snapshotNameFault(good, [])).toBeNull();
    for (const bad of ['', 'a', '1a', '-a', 'a b', 'ä1', 'a/b', 'x'.repeat(41), 'current', 'pending', 'vzdump']) {
      expect(snapshotNameFault(bad, []), bad).toBe('form');
    }
    expect(snapshotNameFault('before', ['before'])).toBe('taken');
  });

  it('have a name that nobody has to think of', () => {
    const name = suggestedName(new Date(2026, 0, 5, 7, 9));
    expect(name).toBe('at-2026-01-05-0709');
    expect(snapshotNameFault(name, [])).toBeNull();
  });

  it('are taken of what runs or is stopped, and gone back to by what is stopped', () => {
    expect((['running', 'stopped', 'suspended', 'failed', 'starting', 'unknown'] as const).filter(canTake)).toEqual(['running', 'stopped']);
    expect((['running', 'stopped', 'suspended', 'failed', 'stopping'] as const).filter(canGoBack)).toEqual(['stopped']);
  });
});
