// Hosts, and having them emptied.

import { Refusal } from '../http.mjs';

/** @typedef {import('./routes.mjs').Route} Route */

const CAN = { suspend: true, snapshot: false, exec: true, resize: true };

/** @param {Record<string, unknown> & { name: string }} wanted */
export function host(wanted) {
  return {
    labels: [],
    state: 'fine',
    seen_at: new Date().toISOString(),
    fault: null,
    drained: false,
    version: 'Docker 28.1.1',
    cpus: 16,
    memory_mib: 65536,
    memory_used_mib: null,
    running: 0,
    capacity: { cpu_millis: 64000, memory_mib: 65024 },
    committed: { instances: 0, cpu_millis: 0, memory_mib: 0 },
    orphans: 0,
    can: CAN,
    nodes: [],
    ...wanted,
  };
}

/** @type {Record<string, Route>} */
export const HOSTS = {
  'GET /hosts': { permission: 'hosts_read', run: ({ mock }) => ({ items: mock.hosts, next_cursor: null }) },
  'PATCH /hosts/:id': {
    permission: 'hosts_manage',
    fields: ['drained'],
    run: ({ mock, id, body }) => {
      const found = mock.hosts.find(({ name }) => name === id);
      if (!found) throw new Refusal(404);
      found.drained = body.drained;
      return found;
    },
  },
};
