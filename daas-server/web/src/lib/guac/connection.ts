/** One connection to a desktop: from a ticket to its end. A new attempt is a new connection. */

import Guacamole, {
  type Client,
  type Display,
  type InputStream,
  type MouseState,
} from '@glokon/guacamole-common-js';
import { fits, TextCollector, toBlobs } from './clipboard';
import type { Wanted } from './geometry';
import { QualityMeter, type Quality } from './quality';
import { Tunnel, TunnelState } from './tunnel';

const IMAGE_TYPES = ['image/webp', 'image/png', 'image/jpeg'];
const TEXT = 'text/plain';

export interface Target {
  /** Path of the WebSocket on this server. */
  readonly path: string;
  readonly ticket: string;
  readonly size: Wanted;
}

/** The pointer as the desktop wants it, and the point of it that points. */
export interface Cursor {
  readonly canvas: HTMLCanvasElement;
  readonly x: number;
  readonly y: number;
}

export interface Handlers {
  /** The first picture is there. */
  shown(): void;
  /** It is over; `null` where the connection broke without a status code. */
  ended(code: number | null): void;
  /** The desktop copied a text. */
  clipboard(text: string): void;
  quality(quality: Quality): void;
}

export class Connection {
  readonly display: Display;
  /** The last pointer, or `null` while the desktop has set none. */
  cursor: Cursor | null = null;
  oncursor: (() => void) | null = null;
  /** When keys, pointer or fingers last did something, by the clock of this device. */
  usedAt: number | null = null;
  readonly #client: Client;
  readonly #tunnel: Tunnel;
  readonly #handlers: Handlers;
  readonly #meter = new QualityMeter();
  #size: Wanted;
  #shown = false;
  #over = false;
  #errorCode: number | null = null;

  constructor(target: Target, handlers: Handlers) {
    surviveBrokenImages();
    this.#handlers = handlers;
    this.#size = target.size;
    this.#tunnel = new Tunnel(tunnelUrl(target));
    this.#client = new Guacamole.Client(this.#tunnel);
    this.display = this.#client.getDisplay();
    this.#listen();
    this.#client.connect();
  }

  /** Whether the desktop shows a picture and takes input. */
  get ready(): boolean {
    return this.#shown && !this.#over;
  }

  sendSize(size: Wanted): void {
    if (!this.ready) return;
    if (size.width === this.#size.width && size.height === this.#size.height) return;
    this.#size = size;
    this.#client.sendSize(size.width, size.height);
  }

  sendKey(keysym: number, pressed: boolean): void {
    if (!this.ready) return;
    this.usedAt = Date.now();
    this.#client.sendKeyEvent(pressed ? 1 : 0, keysym);
  }

  /** Position in CSS pixels of the display. guacd may crash on input before the first picture. */
  sendMouse(state: MouseState): void {
    if (!this.ready) return;
    this.usedAt = Date.now();
    this.#client.sendMouseState(state, true);
  }

  /**
   * Puts a text on the desktop's clipboard. Returns whether it was sent. guacd does not
   * acknowledge clipboard blobs, so there is nothing to wait for; the size is bounded.
   */
  sendClipboard(text: string): boolean {
    if (!this.ready || !fits(text)) return false;
    const stream = this.#client.createClipboardStream(TEXT);
    for (const blob of toBlobs(text)) stream.sendBlob(blob);
    stream.sendEnd();
    return true;
  }

  /** Ends it from this side. No handler is called after that. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#release();
  }

  #listen(): void {
    this.#client.onerror = (status) => (this.#errorCode = status.code);
    this.#client.onclipboard = (stream, mimetype) => this.#copied(stream, mimetype);
    this.display.oncursor = (canvas, x, y) => {
      this.cursor = { canvas, x, y };
      this.oncursor?.();
    };
    this.#tunnel.ondrawn = () => this.#drawn();
    this.#tunnel.onend = (code) => this.#ended(code);
    this.#tunnel.onroundtrip = (ms) => {
      this.#meter.roundtrip(ms);
      this.#measured();
    };
    const { onstatechange } = this.#tunnel;
    this.#tunnel.onstatechange = (state) => {
      onstatechange?.(state);
      this.#meter.silent(state === TunnelState.UNSTABLE);
      this.#measured();
    };
  }

  #measured(): void {
    if (!this.#over) this.#handlers.quality(this.#meter.read());
  }

  #drawn(): void {
    if (this.#shown || this.#over || this.display.getWidth() <= 0) return;
    this.#shown = true;
    this.#handlers.shown();
  }

  /** The code of an `error` instruction says more than the close that follows it. */
  #ended(code: number | null): void {
    if (this.#over) return;
    this.#over = true;
    this.#release();
    this.#handlers.ended(this.#errorCode ?? code);
  }

  #copied(stream: InputStream, mimetype: string): void {
    if (!mimetype.startsWith('text/')) return;
    const collector = new TextCollector();
    stream.onblob = (base64) => collector.push(base64);
    stream.onend = () => {
      if (!this.#over) this.#handlers.clipboard(collector.finish());
    };
  }

  #release(): void {
    this.#client.disconnect();
    this.display.cancel();
    this.oncursor = this.display.oncursor = this.display.onresize = null;
  }

  /**
   * Takes the picture away; until then it stays under whatever is said of the end. The
   * library never lets go of a display, but emptied it holds no pixels at least.
   */
  dispose(): void {
    this.close();
    this.display.getElement().remove();
    this.display.getDefaultLayer().resize(1, 1);
  }
}

/** The parameters are those of guacamole-common-js clients; the WebSocket is on this server. */
function tunnelUrl({ path, ticket, size }: Target): string {
  const url = new URL(path, window.location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const { searchParams } = url;
  searchParams.set('ticket', ticket);
  searchParams.set('GUAC_WIDTH', String(size.width));
  searchParams.set('GUAC_HEIGHT', String(size.height));
  searchParams.set('GUAC_DPI', String(size.dpi));
  searchParams.set('GUAC_TIMEZONE', Intl.DateTimeFormat().resolvedOptions().timeZone);
  for (const type of IMAGE_TYPES) searchParams.append('GUAC_IMAGE', type);
  for (const type of Guacamole.AudioPlayer.getSupportedTypes()) searchParams.append('GUAC_AUDIO', type);
  return url.href;
}

let survivesBrokenImages = false;

/**
 * `Display.drawBlob` waits for ever for a picture that cannot be decoded, and everything
 * after it with it. One that is a transparent dot instead costs one picture only.
 */
function surviveBrokenImages(): void {
  if (survivesBrokenImages || typeof window.createImageBitmap !== 'function') return;
  survivesBrokenImages = true;
  const create = window.createImageBitmap.bind(window);
  const lenient = async (source: ImageBitmapSource): Promise<ImageBitmap> => {
    try {
      return await create(source);
    } catch {
      return create(new ImageData(1, 1));
    }
  };
  window.createImageBitmap = lenient as typeof window.createImageBitmap;
}
