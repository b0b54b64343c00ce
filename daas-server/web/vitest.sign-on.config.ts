import { defineConfig } from 'vitest/config';

/** Against a server, a directory and a provider that the test starts itself: TEST_SERVER and
 * TEST_DIRECTORY are programs. */
export default defineConfig({
  test: {
    include: ['tests/sign-on/**/*.test.ts'],
    environment: 'node',
    fileParallelism: false,
    bail: 1,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
