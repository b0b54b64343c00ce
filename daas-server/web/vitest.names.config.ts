import { defineConfig } from 'vitest/config';

/** Against a server that the test starts itself: TEST_SERVER is the program. */
export default defineConfig({
  test: {
    include: ['tests/names/**/*.test.ts'],
    environment: 'node',
    fileParallelism: false,
    bail: 1,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
