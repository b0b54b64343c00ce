// Runs the mock by itself: `npm run mock`, then `npm run dev` beside it; or, after
// `npm run build`, the built page under the mock's own address. Log in as demo / demo,
// or as admin / administrator.

import { fileURLToPath } from 'node:url';
import { startMock } from './server.mjs';

const mock = await startMock({
  port: Number(process.env['PORT'] ?? 4873),
  dist: fileURLToPath(new URL('../dist', import.meta.url)),
  appCount: Number(process.env['MOCK_APPS'] ?? 5),
  stepMs: Number(process.env['MOCK_STEP_MS'] ?? 900),
});
console.log(`mock server at ${mock.url}, log in as demo / demo or admin / administrator`);
