// A desktop that is not there: it draws something, notes what it is told, and can be told
// to copy a text, to fall silent or to end.

import { randomUUID } from 'node:crypto';
import { decode, encode } from './guacamole.mjs';
import { png } from './png.mjs';

const BLOB_MAX = 6048;
const ARROW = [
  'X...........',
  'XX..........',
  'XoX.........',
  'XooX........',
  'XoooX.......',
  'XooooX......',
  'XoooooX.....',
  'XooooooX....',
  'XoooooooX...',
  'XooooooooX..',
  'XoooooXXXXX.',
  'XooXooX.....',
  'XoX.XooX....',
  'XX..XooX....',
  'X....XooX...',
  '......XX....',
];

/** @typedef {readonly [number, number, number]} Colour */

/** @type {Readonly<Record<string, Colour>>} */
const CODE_COLOURS = { blue: [122, 162, 247], green: [158, 206, 106], grey: [120, 130, 160], pink: [187, 154, 247] };

export class Desktop {
  /**
   * @param {import('ws').WebSocket} socket
   * @param {{ width: number, height: number, dpi: number }} size
   * @param {import('./instances.mjs').Instance} instance whose desktop it is
   */
  constructor(socket, size, instance) {
    this.socket = socket;
    this.width = size.width;
    this.height = size.height;
    this.dpi = size.dpi;
    this.instance = instance;
    /** Whether pings are answered and anything is sent. */
    this.silent = false;
    /** @type {string[][]} what the page sent, without pings and syncs */
    this.received = [];
    /** @type {string | null} the text that the page put on the clipboard last */
    this.clipboard = null;
    /** Sizes in bytes of the blobs of that text, each of which must be valid UTF-8 by itself. */
    this.clipboardBlobs = /** @type {number[]} */ ([]);
    this.syncs = 0;
    this.timestamp = 0;
    /** @type {Map<string, Buffer[]>} */
    this.streams = new Map();
    this.nextStream = 1;
    /** Keys or the pointer did something. */
    this.onused = () => {};
    /** @type {Error | null} */
    this.protocolError = null;
    socket.on('message', (data) => this.message(String(data)));
    this.send('', randomUUID());
    this.draw();
    this.cursor();
    this.sync();
    this.nop = setInterval(() => this.send('nop'), 5000);
    socket.on('close', () => clearInterval(this.nop));
  }

  /** @param {readonly (string | number)[]} elements */
  send(...elements) {
    if (!this.silent && this.socket.readyState === this.socket.OPEN) this.socket.send(encode(...elements));
  }

  sync() {
    this.timestamp += 40;
    this.send('sync', this.timestamp, 1);
  }

  /** @param {string} text */
  message(text) {
    try {
      for (const [opcode = '', ...parameters] of decode(text)) this.instruction(opcode, parameters);
    } catch (error) {
      this.protocolError = /** @type {Error} */ (error);
      this.end(0x300, 'bad instruction');
    }
  }

  /**
   * @param {string} opcode
   * @param {string[]} parameters
   */
  instruction(opcode, parameters) {
    if (opcode === '') return this.send('', ...parameters);
    if (opcode === 'sync') return void this.syncs++;
    this.received.push([opcode, ...parameters]);
    if (opcode === 'key' || opcode === 'mouse') this.onused();
    const [first = '', second = ''] = parameters;
    if (opcode === 'size') this.resize(Number(first), Number(second));
    else if (opcode === 'mouse') this.mouse(parameters.map(Number));
    else if (opcode === 'clipboard') this.streams.set(first, []);
    else if (opcode === 'blob') this.streams.get(first)?.push(Buffer.from(second, 'base64'));
    else if (opcode === 'end') this.endOfStream(first);
  }

  /** @param {string} stream */
  endOfStream(stream) {
    const blobs = this.streams.get(stream);
    if (!blobs) return;
    this.streams.delete(stream);
    const strict = new TextDecoder('utf-8', { fatal: true });
    // guacd reads each blob by itself, so each must hold whole characters.
    this.clipboard = blobs.map((blob) => strict.decode(blob)).join('');
    this.clipboardBlobs = blobs.map((blob) => blob.length);
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  resize(width, height) {
    this.width = width;
    this.height = height;
    this.draw();
    this.sync();
  }

  /** @param {number[]} parameters */
  mouse([x = 0, y = 0, mask = 0]) {
    if (mask & 1) {
      this.fill(x - 3, y - 3, 7, 7, [255, 255, 255]);
      this.sync();
    }
  }

  /**
   * The desktop copies a text. `cut` is the size of its blobs in bytes: they are cut
   * anywhere, also inside characters.
   * @param {string} text
   */
  copy(text, cut = BLOB_MAX) {
    const stream = this.nextStream;
    this.nextStream += 2;
    this.send('clipboard', stream, 'text/plain');
    this.blobs(stream, Buffer.from(text), cut);
  }

  /**
   * @param {number} stream
   * @param {Buffer} bytes
   */
  blobs(stream, bytes, cut = BLOB_MAX) {
    for (let at = 0; at < bytes.length; at += cut) {
      this.send('blob', stream, bytes.subarray(at, at + cut).toString('base64'));
    }
    this.send('end', stream);
  }

  /**
   * @param {number} layer
   * @param {number} x
   * @param {number} y
   * @param {Buffer} picture
   */
  image(layer, x, y, picture) {
    const stream = this.nextStream;
    this.nextStream += 2;
    this.send('img', stream, layer < 0 ? 12 : 14, layer, 'image/png', x, y);
    this.blobs(stream, picture);
  }

  /** A picture that cannot be decoded. */
  brokenImage() {
    this.image(0, 0, 0, Buffer.from('this is not a PNG'));
    this.sync();
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   * @param {Colour} colour
   */
  fill(x, y, width, height, colour, alpha = 255) {
    this.send('rect', 0, Math.round(x), Math.round(y), Math.round(width), Math.round(height));
    this.send('cfill', 14, 0, ...colour, alpha);
  }

  draw() {
    this.send('size', 0, this.width, this.height);
    this.wallpaper();
    this.window(this.width * 0.08, this.height * 0.12, this.width * 0.5, this.height * 0.6);
    this.window(this.width * 0.46, this.height * 0.3, this.width * 0.44, this.height * 0.52);
    this.dock();
  }

  wallpaper() {
    const stripes = 48;
    for (let i = 0; i < stripes; i++) {
      const part = i / (stripes - 1);
      const top = Math.floor((this.height * i) / stripes);
      const bottom = Math.floor((this.height * (i + 1)) / stripes);
      const red = Math.round(24 + 60 * part);
      const green = Math.round(40 + 30 * part);
      this.fill(0, top, this.width, bottom - top, [red, green, Math.round(162 - 70 * part)]);
    }
    const glow = png(160, 160, (x, y) => {
      const distance = Math.hypot(x - 80, y - 80) / 80;
      return [150, 130, 255, Math.max(0, Math.round(110 * (1 - distance)))];
    });
    for (const [x, y] of [[0.75, 0.1], [0.1, 0.7], [0.6, 0.75]]) {
      this.image(0, Math.round(this.width * (x ?? 0)), Math.round(this.height * (y ?? 0)), glow);
    }
  }

  /**
   * A window with lines of something in it.
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   */
  window(x, y, width, height) {
    this.fill(x + 6, y + 8, width, height, [0, 0, 0], 70);
    this.fill(x, y, width, height, [26, 27, 38]);
    this.fill(x, y, width, 26, [41, 46, 66]);
    const dots = /** @type {Colour[]} */ ([[247, 118, 142], [224, 175, 104], [158, 206, 106]]);
    dots.forEach((dot, i) => this.fill(x + 12 + i * 18, y + 9, 9, 9, dot));
    const colours = Object.values(CODE_COLOURS);
    for (let line = 0; 46 + line * 18 < height - 14; line++) {
      let at = x + 18 + (line % 4) * 14;
      for (let word = 0; word < 3 + (line % 3); word++) {
        const length = 24 + ((line * 37 + word * 53) % 70);
        if (at + length > x + width - 16) break;
        this.fill(at, y + 44 + line * 18, length, 7, colours[(line + word * 2) % colours.length] ?? [255, 255, 255]);
        at += length + 10;
      }
    }
  }

  dock() {
    const icons = /** @type {Colour[]} */ ([[111, 123, 247], [242, 163, 58], [53, 182, 230], [52, 195, 143], [187, 154, 247]]);
    const width = icons.length * 46 + 14;
    const left = (this.width - width) / 2;
    this.fill(left, this.height - 62, width, 50, [255, 255, 255], 45);
    icons.forEach((icon, i) => this.fill(left + 14 + i * 46, this.height - 53, 32, 32, icon));
  }

  /** An arrow, drawn into a buffer and made the pointer. */
  cursor() {
    const width = ARROW[0]?.length ?? 0;
    const picture = png(width, ARROW.length, (x, y) => {
      const dot = ARROW[y]?.[x];
      if (dot === 'X') return [255, 255, 255, 255];
      return dot === 'o' ? [20, 22, 34, 255] : [0, 0, 0, 0];
    });
    this.image(-1, 0, 0, picture);
    this.send('cursor', 0, 0, -1, 0, 0, width, ARROW.length);
  }

  /**
   * Ends as the server does: an error, a disconnect, and the code as the reason to close.
   * @param {number} code
   */
  end(code, text = 'ended by the mock') {
    this.send('error', text, code);
    this.send('disconnect');
    this.socket.close(1000, String(code));
  }

  /** Breaks the connection without a word. */
  drop() {
    this.socket.terminate();
  }
}
