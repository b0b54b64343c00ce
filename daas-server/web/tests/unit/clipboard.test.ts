import { describe, expect, it } from 'vitest';
import { BLOB_BYTES_MAX, fits, SEND_BYTES_MAX, TextCollector, toBlobs } from '../../src/lib/guac/clipboard';
import { integer, random, SAMPLE, unicode } from './random';

const strict = new TextDecoder('utf-8', { fatal: true });

function bytesOf(base64: string): Buffer {
  return Buffer.from(base64, 'base64');
}

function collect(bytes: Uint8Array, cut: () => number, max?: number): string {
  const collector = new TextCollector(max);
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + cut());
    collector.push(Buffer.from(bytes.subarray(at, end)).toString('base64'));
    at = end;
  }
  return collector.finish();
}

describe('toBlobs', () => {
  it('cuts at characters, within the limit, and loses nothing', () => {
    const next = random(1);
    for (let round = 0; round < 300; round++) {
      const text = unicode(next, integer(next, 4000));
      const max = 4 + integer(next, BLOB_BYTES_MAX);
      const blobs = toBlobs(text, max).map(bytesOf);
      expect(blobs.every((blob) => blob.length > 0 && blob.length <= max)).toBe(true);
      // Each blob by itself is valid UTF-8: guacd decodes them one by one.
      expect(blobs.map((blob) => strict.decode(blob)).join('')).toBe(text);
    }
  });

  it('fills blobs as far as characters allow', () => {
    const blobs = toBlobs('世'.repeat(5000)).map(bytesOf);
    expect(blobs.map((blob) => blob.length)).toEqual([6048, 6048, 2904]);
  });

  it('sends an empty text without blobs', () => {
    expect(toBlobs('')).toEqual([]);
  });

  it('replaces what is not text, as browsers do', () => {
    expect(toBlobs('a\ud800b').map((blob) => strict.decode(bytesOf(blob)))).toEqual(['a\ufffdb']);
  });

  it('refuses a limit that no character fits in, instead of looping', () => {
    expect(() => toBlobs('🚀🚀', 3)).toThrow(RangeError);
  });
});

describe('TextCollector', () => {
  it('finds the same text wherever the blobs were cut', () => {
    const next = random(2);
    for (let round = 0; round < 300; round++) {
      const text = unicode(next, integer(next, 600));
      const most = 1 + integer(next, 9);
      expect(collect(Buffer.from(text), () => 1 + integer(next, most))).toBe(text);
    }
  });

  it('carries letters, ideographs, joined and plain emoji', () => {
    expect(collect(Buffer.from(SAMPLE), () => 1)).toBe(SAMPLE);
  });

  it('stops at the limit and leaves no half character behind', () => {
    const text = '世'.repeat(100);
    for (let max = 1; max < 30; max++) {
      const got = collect(Buffer.from(text), () => 7, max);
      expect(got).toBe('世'.repeat(Math.floor(max / 3)));
    }
  });

  it('throws on what is not base64, for the tunnel to end', () => {
    expect(() => new TextCollector().push('%%%')).toThrow();
  });
});

describe('fits', () => {
  it('counts bytes, not characters', () => {
    expect(fits('a'.repeat(SEND_BYTES_MAX))).toBe(true);
    expect(fits('a'.repeat(SEND_BYTES_MAX + 1))).toBe(false);
    expect(fits('🚀'.repeat(SEND_BYTES_MAX / 4))).toBe(true);
    expect(fits('🚀'.repeat(SEND_BYTES_MAX / 4) + 'a')).toBe(false);
    expect(fits('世'.repeat(SEND_BYTES_MAX / 3))).toBe(true);
    expect(fits('世'.repeat(Math.floor(SEND_BYTES_MAX / 3)) + '世')).toBe(false);
  });
});
