import { describe, expect, it } from 'vitest';
import { COUNT_MAX, forget, LENGTH_MAX, Thumbnails, type Store } from '../../src/lib/thumbnails';

const PICTURE = 'data:image/webp;base64,AAAA';

class Memory implements Store {
  readonly values = new Map<string, string>();
  constructor(readonly room = Infinity) {}

  getItem(key: string): string | null {
    return this.values.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    if (value.length > this.room) throw new Error('full');
    this.values.set(key, value);
  }

  removeItem(key: string): void {
    this.values.delete(key);
  }
}

describe('thumbnails', () => {
  it('are kept, also for the next visit', () => {
    const store = new Memory();
    new Thumbnails('ada', store).put('i', PICTURE, 1);
    expect(new Thumbnails('ada', store).get('i')).toBe(PICTURE);
  });

  it('are not shown to another person, and give way to theirs', () => {
    const store = new Memory();
    new Thumbnails('ada', store).put('i', PICTURE, 1);
    const bob = new Thumbnails('bob', store);
    expect(bob.get('i')).toBeNull();
    bob.put('j', PICTURE, 2);
    expect(new Thumbnails('ada', store).get('i')).toBeNull();
  });

  it('are seen by another window', () => {
    const store = new Memory();
    const one = new Thumbnails('ada', store);
    const other = new Thumbnails('ada', store);
    expect(other.get('i')).toBeNull();
    one.put('i', PICTURE, 1);
    expect(other.get('i')).toBe(PICTURE);
  });

  it('are bounded in number: the oldest go', () => {
    const thumbnails = new Thumbnails('ada', new Memory());
    for (let i = 0; i <= COUNT_MAX; i++) thumbnails.put(`i${i}`, PICTURE, i);
    expect(thumbnails.get('i0')).toBeNull();
    expect(thumbnails.get('i1')).toBe(PICTURE);
  });

  it('are bounded in size, each and by the browser', () => {
    const thumbnails = new Thumbnails('ada', new Memory(400));
    thumbnails.put('large', PICTURE + 'A'.repeat(LENGTH_MAX), 1);
    expect(thumbnails.get('large')).toBeNull();
    for (let i = 0; i < 20; i++) thumbnails.put(`i${i}`, PICTURE, i);
    expect(thumbnails.get('i19')).toBe(PICTURE);
    expect(thumbnails.get('i0')).toBeNull();
  });

  it('are only pictures', () => {
    const thumbnails = new Thumbnails('ada', new Memory());
    for (const url of ['https://host/a.png', 'javascript:alert(1)', 'data:text/html,x', 'data:image/svg+xml;base64,AAAA', '']) {
      thumbnails.put('i', url, 1);
      expect(thumbnails.get('i')).toBeNull();
    }
  });

  it('go with their instances', () => {
    const thumbnails = new Thumbnails('ada', new Memory());
    thumbnails.put('i', PICTURE, 1);
    thumbnails.put('j', PICTURE, 1);
    thumbnails.keepOnly(['j', 'k']);
    expect(thumbnails.get('i')).toBeNull();
    expect(thumbnails.get('j')).toBe(PICTURE);
  });

  it.each(['', 'null', '7', '[]', '{}', '{"user":"ada","pictures":null}', '{"user":"ada","pictures":{"i":null}}', '{"user":"ada","pictures":{"i":{"url":"x"}}}'])(
    'survive whatever is stored: %s',
    (stored) => {
      const store = new Memory();
      store.setItem('daas.thumbnails', stored);
      const thumbnails = new Thumbnails('ada', store);
      expect(thumbnails.get('i')).toBeNull();
      thumbnails.put('i', PICTURE, 1);
      expect(thumbnails.get('i')).toBe(PICTURE);
    },
  );

  it('do without a store', () => {
    const thumbnails = new Thumbnails('ada', null);
    thumbnails.put('i', PICTURE, 1);
    expect(thumbnails.get('i')).toBeNull();
    expect(() => forget(null)).not.toThrow();
  });

  it('are forgotten', () => {
    const store = new Memory();
    new Thumbnails('ada', store).put('i', PICTURE, 1);
    forget(store);
    expect(store.values.size).toBe(0);
  });
});
