import { describe, expect, it } from 'vitest';
import { density, isSharp, scaleOf, wantedSize } from '../../src/lib/guac/geometry';
import { integer, random } from './random';

describe('density', () => {
  it.each([
    [1, 1],
    [1.25, 1.25],
    [1.5, 1.5],
    [2, 1],
    [2.5, 1.25],
    [3, 1],
    [0.8, 0.8],
    [Number.NaN, 1],
  ])('a ratio of %s gives %s', (ratio, expected) => {
    expect(density(ratio, false)).toBeCloseTo(expected);
  });

  it('is the ratio itself when every pixel is wanted', () => {
    expect(density(2, true)).toBe(2);
  });
});

describe('the size that is asked for', () => {
  it('is that of the window', () => {
    expect(wantedSize({ width: 1280, height: 800 }, 1)).toEqual({ width: 1280, height: 800, dpi: 96 });
    expect(wantedSize({ width: 1280, height: 800 }, 1.25)).toEqual({ width: 1600, height: 1000, dpi: 120 });
  });

  it('keeps the shape of a small window but is never too small to use', () => {
    const { width, height } = wantedSize({ width: 375, height: 720 }, 1);
    expect(width).toBe(640);
    expect(height / width).toBeCloseTo(720 / 375, 2);
  });

  it('is within bounds, whole and shown as sharp as it was meant, for any window', () => {
    const next = random(8);
    for (let round = 0; round < 2000; round++) {
      const window = { width: integer(next, 6000), height: integer(next, 4000) };
      const ratio = Math.round((0.5 + next() * 3.5) * 4) / 4;
      const dense = density(ratio, next() < 0.3);
      const size = wantedSize(window, dense);
      expect(Number.isInteger(size.width) && Number.isInteger(size.height)).toBe(true);
      expect(Math.min(size.width, size.height)).toBeGreaterThanOrEqual(1);
      expect(Math.max(size.width, size.height)).toBeLessThanOrEqual(8192);
      if (window.width < 800 || window.height < 600 || ratio < 1) continue;
      if (Math.max(size.width, size.height) === 8192) continue;
      const scale = scaleOf(size, window, dense, 'fit');
      expect(scale).toBeCloseTo(1 / dense);
      expect(isSharp(scale, ratio)).toBe(true);
    }
  });
});

describe('scale', () => {
  it('fits a desktop that cannot change its size', () => {
    expect(scaleOf({ width: 1920, height: 1080 }, { width: 960, height: 1000 }, 1, 'fit')).toBe(0.5);
    expect(scaleOf({ width: 640, height: 480 }, { width: 1280, height: 960 }, 1, 'fit')).toBe(2);
  });

  it('is the original size when that is wanted', () => {
    expect(scaleOf({ width: 1920, height: 1080 }, { width: 960, height: 1000 }, 1, 'original')).toBe(1);
  });

  it('never is nothing', () => {
    expect(scaleOf({ width: 0, height: 0 }, { width: 960, height: 1000 }, 1, 'fit')).toBe(1);
    expect(scaleOf({ width: 800, height: 600 }, { width: 0, height: 0 }, 1, 'fit')).toBe(1);
  });
});
