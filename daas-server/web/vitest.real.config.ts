import { defineConfig } from 'vitest/config';

/** Against a running server: each test goes on where the one before it ended. */
export default defineConfig({
  test: {
    include: ['tests/real/**/*.test.ts'],
    environment: 'node',
    fileParallelism: false,
    bail: 1,
    testTimeout: 90_000,
    hookTimeout: 60_000,
  },
});
