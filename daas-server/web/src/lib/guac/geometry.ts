/**
 * How large the desktop should be, and how large it is shown.
 *
 * A screen with a pixel ratio of 2 could show a desktop of twice the size, but few desktops
 * enlarge their letters to match. So each pixel of the desktop covers a whole number of
 * pixels of the screen: sharp, and readable. Those who want all pixels can have them.
 */

export interface Box {
  readonly width: number;
  readonly height: number;
}

export interface Wanted extends Box {
  readonly dpi: number;
}

export type Scaling = 'fit' | 'original';

/** Smaller desktops cannot be used; on a small screen they are shown reduced. */
const WIDTH_MIN = 640;
const HEIGHT_MIN = 400;
const SIDE_MAX = 8192;
const DPI = 96;
const DPI_MAX = 480;

/** Pixels of the desktop for each CSS pixel. */
export function density(pixelRatio: number, everyPixel: boolean): number {
  if (!Number.isFinite(pixelRatio) || pixelRatio <= 0) return 1;
  return everyPixel ? pixelRatio : pixelRatio / Math.max(1, Math.floor(pixelRatio));
}

/** The size to ask for, for a window of so many CSS pixels. */
export function wantedSize(window: Box, ratio: number): Wanted {
  const width = Math.max(1, window.width) * ratio;
  const height = Math.max(1, window.height) * ratio;
  const enlarge = Math.max(1, WIDTH_MIN / width, HEIGHT_MIN / height);
  return {
    width: bounded(width * enlarge),
    height: bounded(height * enlarge),
    dpi: Math.min(Math.round(DPI * ratio), DPI_MAX),
  };
}

function bounded(side: number): number {
  return Math.min(Math.floor(side + 1e-6), SIDE_MAX);
}

/** The factor between pixels of the desktop and CSS pixels. */
export function scaleOf(desktop: Box, window: Box, ratio: number, scaling: Scaling): number {
  const original = 1 / ratio;
  if (scaling === 'original' || desktop.width <= 0 || desktop.height <= 0) return original;
  const fitting = Math.min(window.width / desktop.width, window.height / desktop.height);
  if (!Number.isFinite(fitting) || fitting <= 0) return original;
  // A difference of less than a pixel comes from rounding and would only blur.
  const exact = Math.abs(fitting / original - 1) * Math.max(desktop.width, desktop.height) < 2;
  return exact ? original : fitting;
}

/** Whether each pixel of the desktop covers a whole number of pixels of the screen. */
export function isSharp(scale: number, pixelRatio: number): boolean {
  const pixels = scale * pixelRatio;
  return pixels >= 0.99 && Math.abs(pixels - Math.round(pixels)) < 0.01;
}
