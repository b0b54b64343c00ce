import { describe, expect, it } from 'vitest';
import type { Mock } from '../../mock/server.mjs';
import { theBrowser, visit } from './harness';
import { noScriptRuns, PAYLOADS, type Seeded } from './xss';

const PASSWORD = 'correct horse battery';

/** Each payload becomes a user, a group with it as description, too, and an application. */
function seed(mock: Mock): Seeded {
  const { directory } = mock;
  const [like] = mock.apps;
  if (!like) throw new Error('there is no application');
  mock.apps = PAYLOADS.map((name, n) => ({ ...like, id: `app-${n}`, slug: `app-${n}`, name, description: name }));
  PAYLOADS.forEach((name, n) => {
    const group = directory.addGroup({ name, description: name, external: [name] });
    const user = directory.addUser({ name, password: PASSWORD, groups: new Set([group.id]) });
    const app = mock.apps[n];
    directory.audit.add({ action: 'user.change', actor: name, target: name, before: { [name]: name }, after: { name } });
    if (app) mock.addTunnel(user, app);
    if (app && n < 20) mock.instances.launch(app, 'user-admin');
  });
  return { users: PAYLOADS, groups: PAYLOADS, apps: PAYLOADS };
}

describe('names that are scripts', () => {
  it('are two hundred, and all are different', () => {
    expect(new Set(PAYLOADS.map((payload) => payload.toLowerCase())).size).toBe(200);
  });

  it('are shown as they are, and none of them runs', { timeout: 240_000 }, async () => {
    const { mock } = await visit();
    const seeded = seed(mock);
    await noScriptRuns(theBrowser(), {
      url: mock.url,
      admin: { name: 'admin', password: 'administrator' },
      named: PAYLOADS.filter((_, n) => n % 25 === 0).map((name) => ({ name, password: PASSWORD })),
      seeded,
    });
  });
});
