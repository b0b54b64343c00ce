// Runs in the page, so it uses nothing from outside.

/** How many colours the picture of the viewer has, of a few thousand points of it. */
export function colours() {
  const found = new Set();
  /** @type {NodeListOf<HTMLCanvasElement>} */
  const canvases = document.querySelectorAll('[data-testid=viewer-canvas] canvas');
  for (const canvas of canvases) {
    const context = canvas.getContext('2d');
    if (!context || canvas.width === 0 || canvas.height === 0) continue;
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const pixels = new Uint32Array(data.buffer);
    for (let at = 0; at < pixels.length; at += 97) found.add(pixels[at]);
  }
  return found.size;
}
