/** Amounts of data, in words. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** Such as "1.2 MB", in powers of a thousand. */
export function bytesInWords(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}
