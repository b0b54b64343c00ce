/**
 * The last picture of each instance, kept by the browser: small, few, and only for the one
 * who is logged in. Storage may be full or forbidden; then there are no pictures.
 */

import { attempt } from './attempt';

/** Bounds: 24 pictures of at most 60,000 characters each. */
export const COUNT_MAX = 24;
export const LENGTH_MAX = 60_000;
export const WIDTH = 480;
export const HEIGHT = 270;
const KEY = 'daas.thumbnails';

interface Kept {
  readonly user: string;
  readonly pictures: Readonly<Record<string, Picture>>;
}

interface Picture {
  readonly url: string;
  readonly at: number;
}

export type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

export class Thumbnails {
  readonly #store: Store | null;
  readonly #user: string;
  /** What was read last, and what it meant. */
  #raw: string | null = null;
  #pictures: Record<string, Picture> = {};

  constructor(user: string, store: Store | null) {
    this.#user = user;
    this.#store = store;
  }

  get(id: string): string | null {
    return this.#read()[id]?.url ?? null;
  }

  put(id: string, url: string, now: number): void {
    if (url.length > LENGTH_MAX || !isPicture(url)) return;
    this.#write({ ...this.#read(), [id]: { url, at: now } });
  }

  /** Forgets the pictures of all but these instances. */
  keepOnly(ids: readonly string[]): void {
    const pictures = this.#read();
    const kept = Object.entries(pictures).filter(([id]) => ids.includes(id));
    if (kept.length < Object.keys(pictures).length) this.#write(Object.fromEntries(kept));
  }

  /** Another window may have written meanwhile. */
  #read(): Record<string, Picture> {
    const raw = attempt(() => this.#store?.getItem(KEY)) ?? null;
    if (raw !== this.#raw) {
      const kept = parse(raw);
      this.#pictures = kept?.user === this.#user ? { ...kept.pictures } : {};
      this.#raw = raw;
    }
    return this.#pictures;
  }

  /** Drops the oldest until it fits, also into what the browser allows. */
  #write(pictures: Record<string, Picture>): void {
    let newest = Object.entries(pictures).sort(([, a], [, b]) => b.at - a.at).slice(0, COUNT_MAX);
    while (newest.length > 0) {
      const kept: Kept = { user: this.#user, pictures: Object.fromEntries(newest) };
      if (attempt(() => (this.#store?.setItem(KEY, JSON.stringify(kept)), true))) return;
      newest = newest.slice(0, -1);
    }
    forget(this.#store);
  }
}

/** Forgets all pictures: nobody is logged in. */
export function forget(store: Store | null): void {
  attempt(() => store?.removeItem(KEY));
}

function isPicture(url: unknown): url is string {
  return typeof url === 'string' && /^data:image\/(?:webp|jpeg|png);base64,/.test(url);
}

function parse(text: string | null): Kept | null {
  const kept = attempt(() => JSON.parse(text ?? 'null') as Partial<Kept> | null);
  if (typeof kept?.user !== 'string' || typeof kept.pictures !== 'object') return null;
  const pictures = Object.entries(kept.pictures ?? {}).filter(([, picture]) => isPicture(picture?.url));
  return { user: kept.user, pictures: Object.fromEntries(pictures) };
}

/** The storage of the browser, where it lets us. */
export function browserStore(): Store | null {
  return attempt(() => window.localStorage) ?? null;
}

/** A small copy of a picture, cut to the shape of a card, or `null` where there is none. */
export function shrink(picture: HTMLCanvasElement): string | null {
  if (picture.width === 0 || picture.height === 0) return null;
  const small = document.createElement('canvas');
  small.width = WIDTH;
  small.height = HEIGHT;
  const context = small.getContext('2d');
  if (!context) return null;
  const scale = Math.max(WIDTH / picture.width, HEIGHT / picture.height);
  const width = picture.width * scale;
  const height = picture.height * scale;
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, (WIDTH - width) / 2, Math.min(0, (HEIGHT - height) / 2), width, height);
  const url = attempt(() => small.toDataURL('image/webp', 0.7));
  return url && url.length <= LENGTH_MAX ? url : (attempt(() => small.toDataURL('image/jpeg', 0.4)) ?? null);
}
