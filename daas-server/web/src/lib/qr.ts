/** QR codes as one path of an SVG: nothing of it needs a style or a script. */

import { encode } from 'uqr';

export interface QrCode {
  /** Width and height in modules, with the quiet zone. */
  readonly size: number;
  readonly path: string;
}

/** The quiet zone that readers want around a code (ISO/IEC 18004). */
const BORDER = 4;

export function qrCode(text: string): QrCode {
  const { data, size } = encode(text, { ecc: 'M', border: BORDER });
  const path = data.map((row, y) => rowPath(row, y)).join('');
  return { size, path };
}

/** Neighbours make one rectangle. */
function rowPath(row: readonly boolean[], y: number): string {
  let path = '';
  for (let x = 0; x < row.length; x++) {
    if (!row[x]) continue;
    const start = x;
    while (row[x + 1]) x++;
    path += `M${start} ${y}h${x - start + 1}v1h-${x - start + 1}z`;
  }
  return path;
}
