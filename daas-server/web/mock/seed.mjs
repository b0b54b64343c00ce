// Something to look at: users, groups, limits, hosts and what was done.

import { host } from './access/hosts.mjs';

/** @param {import('./server.mjs').Mock} mock */
export function seed(mock) {
  const { directory } = mock;
  const design = directory.addGroup({
    id: 'group-design',
    name: 'Design',
    description: 'Drawings and layouts',
    external: ['cn=design,ou=groups,dc=example,dc=org'],
  });
  directory.addGroup({ id: 'group-support', name: 'Support', description: 'First line, weekdays', external: ['support'] });
  design.quota = { ...design.quota, instances: 3, memory_mib: 8192, hours_week: 40 };
  design.rules = [{ permission: 'apps_launch', app_id: mock.apps[0]?.id ?? null, effect: 'deny' }];
  const demo = directory.user('user-demo');
  demo.groups.add(design.id);
  demo.last_login_at = new Date(Date.now() - 7_200_000).toISOString();
  directory.addUser({ id: 'user-grace', name: 'grace.hopper@example.org', source: 'ldap', groups: new Set(['group-support']) });
  directory.addUser({ id: 'user-old', name: 'Former colleague', disabled: true, password: 'x' });
  directory.addUser({ id: 'user-new', name: 'New colleague' });
  for (let n = 1; n <= 60; n++) {
    directory.addUser({ id: `user-${n}`, name: `student-${String(n).padStart(2, '0')}`, password: 'x' });
  }
  const [app] = mock.apps;
  if (app) {
    directory.appQuotas.set(app.id, { instances: 2, cpu_millis: 4000, memory_mib: null, disk_mib: 20480, hours_week: null });
    mock.addTunnel(demo, app);
  }
  hosts(mock);
  audit(mock);
}

/** @param {import('./server.mjs').Mock} mock */
function hosts(mock) {
  mock.hosts.push(
    host({ name: 'docker', running: 11, committed: { instances: 12, cpu_millis: 24000, memory_mib: 24576 } }),
    host({
      name: 'lab-1',
      labels: ['gpu', 'ssd'],
      drained: true,
      running: 29,
      committed: { instances: 30, cpu_millis: 60000, memory_mib: 61440 },
      orphans: 1,
    }),
    host({
      name: 'lab-2',
      state: 'unreachable',
      seen_at: new Date(Date.now() - 600_000).toISOString(),
      fault: 'Docker is not available: asking for the version failed: no way to the engine: connect timed out',
      running: 2,
      committed: { instances: 2, cpu_millis: 4000, memory_mib: 4096 },
    }),
    host({
      name: 'pve',
      version: 'Proxmox VE 9.1.2',
      running: 3,
      capacity: { cpu_millis: 256000, memory_mib: 130560 },
      committed: { instances: 3, cpu_millis: 6000, memory_mib: 114688 },
      nodes: [
        { name: 'pve1', online: true, cpus: 32, memory_mib: 65536, memory_used_mib: 20480, running: 3 },
        { name: 'pve2', online: false, cpus: 32, memory_mib: 65536, memory_used_mib: 0, running: 0 },
      ],
    }),
    host({ name: 'new', state: 'stale', seen_at: null, version: null, running: null, capacity: null }),
  );
}

/** @param {import('./server.mjs').Mock} mock */
function audit({ directory }) {
  const by = { actor_id: 'user-admin', actor: 'admin' };
  directory.audit.add({ ...by, action: 'session.begin', target: 'admin', target_id: 'user-admin' });
  directory.audit.add({ action: 'session.begin', actor: null, target: 'root', outcome: 'refused', address: '203.0.113.9' });
  directory.audit.add({ ...by, action: 'user.create', target: 'New colleague', after: { name: 'New colleague', role: 'user' } });
  directory.audit.add({
    ...by,
    action: 'user.change',
    target: 'demo',
    before: { role: 'user', groups: [], quota: { instances: null, memory_mib: 4096 } },
    after: { role: 'operator', groups: ['Design', 'Support'], quota: { instances: 3 } },
  });
}
