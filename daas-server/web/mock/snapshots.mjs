// Snapshots of instances.

import { json, problem } from './http.mjs';

/**
 * @param {import('./instances.mjs').Instances} instances
 * @param {import('./instances.mjs').Instance} instance
 * @param {{ route: string, body: any, response: import('node:http').ServerResponse }} call
 */
export function onSnapshots(instances, instance, { route, body, response }) {
  if (!instance.abilities.snapshot) return problem(response, 501, { detail: 'The host does not support snapshots.' });
  const items = instances.snapshots.get(instance.id) ?? [];
  const [method, path = ''] = route.split(' ');
  const [, , , , part = '', verb = ''] = path.split('/');
  const name = decodeURIComponent(part);
  const found = items.find((item) => item.name === name);
  const done = () => void response.writeHead(204).end();
  if (name === '') {
    if (method === 'GET') return json(response, 200, { items });
    if (!['running', 'stopped'].includes(instance.state)) return refuse(instance, response);
    if (!items.some((item) => item.name === body?.name)) {
      items.push({ name: String(body?.name), made_at: new Date().toISOString() });
    }
    return done();
  }
  if (verb === 'rollback') {
    if (instance.state !== 'stopped') return refuse(instance, response);
    return found ? done() : problem(response, 404, { detail: 'There is no such snapshot, or it is not yours.' });
  }
  instances.snapshots.set(
    instance.id,
    items.filter((item) => item !== found),
  );
  done();
}

/**
 * @param {import('./instances.mjs').Instance} instance
 * @param {import('node:http').ServerResponse} response
 */
function refuse(instance, response) {
  problem(response, 409, { detail: `The desktop is ${instance.state}. Stop it first.` });
}
