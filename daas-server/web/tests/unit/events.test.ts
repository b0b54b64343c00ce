import { beforeEach, describe, expect, it } from 'vitest';
import { LiveEvents, type Source } from '../../src/lib/api/events';

const INSTANCE = {
  id: 'i',
  app: { id: 'a', slug: 's', name: 'n', icon: 'app', kind: 'desktop' },
  state: 'running',
  created_at: '2026-11-24T10:00:00Z',
  changed_at: '2026-11-24T10:00:00Z',
};

class FakeSource implements Source {
  readyState = 0;
  readonly #listeners = new Map<string, (event: MessageEvent<unknown>) => void>();

  addEventListener(type: string, listener: (event: MessageEvent<unknown>) => void): void {
    this.#listeners.set(type, listener);
  }

  close(): void {
    this.readyState = 2;
  }

  send(type: string, data: unknown = ''): void {
    this.#listeners.get(type)?.({ data } as MessageEvent<unknown>);
  }
}

let sources: FakeSource[] = [];
let timers = new Map<number, { at: number; run: () => void }>();
let now = 0;
let heard: string[] = [];
let events: LiveEvents;

function pass(ms: number): void {
  const end = now + ms;
  for (;;) {
    const due = [...timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
    if (!due) break;
    now = due[1].at;
    timers.delete(due[0]);
    due[1].run();
  }
  now = end;
}

beforeEach(() => {
  sources = [];
  timers = new Map();
  now = 0;
  heard = [];
  let id = 0;
  events = new LiveEvents(
    {
      instance: (instance) => heard.push(`instance ${instance.id}`),
      reload: () => heard.push('reload'),
      live: (live) => heard.push(live ? 'live' : 'not live'),
    },
    {
      open: () => {
        const source = new FakeSource();
        sources.push(source);
        return source;
      },
      setTimer: (run, ms) => (timers.set(++id, { at: now + ms, run }), id),
      clearTimer: (timer) => timers.delete(timer),
    },
  );
  events.open();
});

describe('live events', () => {
  it('are passed on, and the list is loaded when they begin', () => {
    sources[0]?.send('hello');
    sources[0]?.send('instance', JSON.stringify(INSTANCE));
    pass(60_000);
    expect(heard).toEqual(['live', 'reload', 'instance i']);
  });

  it('are replaced by polling until they begin', () => {
    pass(16_000);
    expect(heard).toEqual(['reload', 'reload', 'reload']);
  });

  it('are replaced by polling while the browser reconnects', () => {
    sources[0]?.send('hello');
    sources[0]?.send('error');
    pass(11_000);
    sources[0]?.send('hello');
    pass(60_000);
    expect(heard).toEqual(['live', 'reload', 'not live', 'reload', 'reload', 'live', 'reload']);
    expect(sources).toHaveLength(1);
  });

  it('are opened anew when the server refused them', () => {
    sources[0]?.close();
    sources[0]?.send('error');
    pass(31_000);
    expect(sources).toHaveLength(2);
    expect(heard.filter((what) => what === 'reload').length).toBeGreaterThanOrEqual(5);
  });

  it.each(['', 'nonsense', '{}', '[]', '{"id":7}'])('that cannot be read lead to a look at the list: %s', (data) => {
    sources[0]?.send('instance', data);
    expect(heard).toEqual(['reload']);
  });

  it('are over after the end, and leave no timer', () => {
    sources[0]?.send('error');
    events.close();
    heard = [];
    sources[0]?.send('hello');
    sources[0]?.send('instance', JSON.stringify(INSTANCE));
    pass(120_000);
    expect(heard).toEqual([]);
    expect(timers.size).toBe(0);
  });
});
