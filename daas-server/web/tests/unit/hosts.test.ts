import { describe, expect, it } from 'vitest';
import { host as made } from '../../mock/access/hosts.mjs';
import { readHost } from '../../src/lib/api/hosts';
import { readInstance } from '../../src/lib/api/types';
import { t } from '../../src/lib/text';

describe('what the server says of hosts', () => {
  it('is read', () => {
    const committed = { instances: 2, cpu_millis: 3500, memory_mib: 1536 };
    const host = readHost(made({ name: 'lab-1', labels: ['gpu', 7], state: 'unreachable', fault: 'no way', committed, drained: true }));
    expect(host).toMatchObject({ name: 'lab-1', labels: ['gpu'], state: 'unreachable', fault: 'no way', drained: true });
    expect(host.committed).toEqual({ instances: 2, cpuMillis: 3500, memoryMib: 1536 });
    expect(host.capacity).toEqual({ cpuMillis: 64000, memoryMib: 65024 });
  });

  it('may be nothing yet, or newer than this page', () => {
    const unseen = made({ name: 'new', state: 'asleep', seen_at: null, version: null, running: null, capacity: null, cpus: null });
    expect(readHost(unseen)).toMatchObject({ state: 'unknown', seenAt: null, version: '', running: null, capacity: null, nodes: [] });
    expect(() => readHost({ ...unseen, committed: null })).toThrow('host.committed');
  });

  it('is told in words', () => {
    const words = t.admin.hosts;
    expect(words.cpuOf(1500, 64000)).toBe('1.5 of 64');
    expect(words.cpuOf(0, null)).toBe('0');
    expect(words.memoryOf(24576, 65024)).toBe('24 of 63.5 GiB');
    expect([words.running(1), words.orphans(1)]).toEqual(['1 desktop running', 'One desktop on it is known to nobody here.']);
  });
});

describe('what the server says of the host of a desktop', () => {
  const app = { id: 'a', slug: 'a', name: 'A', icon: 'desktop', kind: 'desktop' };
  const time = '2026-11-24T10:00:00Z';
  const instance = { id: 'i', app, state: 'running', step: null, failure: null, created_at: time, changed_at: time };

  it('is read', () => {
    const there = { ...instance, stale: true, host: 'lab-1', host_state: 'unreachable' };
    expect(readInstance(there)).toMatchObject({ stale: true, host: 'lab-1' });
    expect(readInstance({ ...instance, stale: false })).toMatchObject({ stale: false, host: '' });
    expect(readInstance({ ...instance, host: null })).toMatchObject({ stale: false, host: '' });
  });
});
