// Fails when the page grows beyond what a slow connection should have to load.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const LIMIT = 200 * 1024;
const dist = fileURLToPath(new URL('../dist/', import.meta.url));

const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((file) =>
  statSync(join(dist, file)).isFile(),
);
const sizes = files.map((file) => {
  const bytes = readFileSync(join(dist, file));
  return { file, bytes: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
});
const total = sizes.reduce((sum, { gzip }) => sum + gzip, 0);

for (const { file, bytes, gzip } of sizes) console.log(`${file}  ${bytes} bytes, ${gzip} gzipped`);
console.log(`in all ${total} bytes gzipped, of at most ${LIMIT}`);
if (total > LIMIT) process.exit(1);
