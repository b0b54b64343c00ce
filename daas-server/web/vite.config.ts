import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { licences } from './scripts/licences.mjs';

/** Where `npm run dev` sends requests: a real server, or the mock of `npm run mock`. */
const server = process.env['DEV_SERVER'] ?? 'http://127.0.0.1:4873';

export default defineConfig({
  plugins: [svelte(), licences()],
  build: {
    target: 'es2022',
    // The content security policy allows nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: false,
  },
  server: {
    port: 5173,
    strictPort: true,
    proxy: { '/api': { target: server, ws: true } },
  },
});
