/**
 * Text over Guacamole streams.
 *
 * `StringWriter` of guacamole-common-js encodes each half of a surrogate pair by itself, which
 * is not UTF-8 (everything beyond U+FFFF arrives as garbage), and a blob that ends inside a
 * character makes guacd loop. So text is encoded by the browser and cut at characters.
 */

/** Most bytes that one blob may carry (`GUAC_PROTOCOL_BLOB_MAX_LENGTH` of guacamole-server). */
export const BLOB_BYTES_MAX = 6048;
/** Most bytes of UTF-8 that are sent: what guacd keeps of a clipboard. */
export const SEND_BYTES_MAX = 256 * 1024;
/** Most bytes that are taken from a desktop; more is cut off. */
export const RECEIVE_BYTES_MAX = 1024 * 1024;

/** Blobs in base64 that make up the text together, each with whole characters only. */
export function toBlobs(text: string, bytesMax: number = BLOB_BYTES_MAX): string[] {
  const bytes = new TextEncoder().encode(text);
  const blobs: string[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = characterBorder(bytes, start, start + bytesMax);
    blobs.push(toBase64(bytes.subarray(start, end)));
    start = end;
  }
  return blobs;
}

/** The last place at or before `limit` where a character begins. */
function characterBorder(bytes: Uint8Array, start: number, limit: number): number {
  if (limit >= bytes.length) return bytes.length;
  let border = limit;
  while (border > start && isContinuation(bytes[border])) border--;
  if (border === start) throw new RangeError('a blob must hold at least one character');
  return border;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function fromBase64(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** Whether a text is short enough to be sent. */
export function fits(text: string): boolean {
  // No character takes more than three bytes for each of its UTF-16 units.
  if (text.length * 3 <= SEND_BYTES_MAX) return true;
  return new TextEncoder().encode(text).length <= SEND_BYTES_MAX;
}

/** Puts blobs together again, wherever they were cut. */
export class TextCollector {
  readonly #decoder = new TextDecoder();
  readonly #bytesMax: number;
  #bytes = 0;
  #text = '';

  constructor(bytesMax: number = RECEIVE_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** Takes one blob; beyond the limit the rest is dropped. */
  push(base64: string): void {
    const room = this.#bytesMax - this.#bytes;
    if (room <= 0) return;
    const bytes = fromBase64(base64).subarray(0, room);
    this.#bytes += bytes.length;
    this.#text += this.#decoder.decode(bytes, { stream: true });
  }

  /** The whole text. A character that was cut off at the limit is left out. */
  finish(): string {
    const cut = this.#bytes >= this.#bytesMax;
    return cut ? this.#text : this.#text + this.#decoder.decode();
  }
}
