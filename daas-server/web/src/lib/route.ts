/**
 * Where in the page we are. Kept behind the `#`, so that the server need not know of it.
 */

export type Route =
  | { readonly name: 'catalogue' }
  | { readonly name: 'instances' }
  /** An application is being launched; there is no instance yet. */
  | { readonly name: 'launch' }
  | { readonly name: 'session'; readonly id: string };

export function parseRoute(hash: string): Route {
  const [first = '', second = ''] = hash.replace(/^#?\/?/, '').split('/');
  if (first === 'instances') return { name: 'instances' };
  if (first === 'launch') return { name: 'launch' };
  const id = first === 'open' ? decoded(second) : '';
  return id === '' ? { name: 'catalogue' } : { name: 'session', id };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

export function hashOf(route: Route): string {
  switch (route.name) {
    case 'catalogue':
      return '#/';
    case 'instances':
      return '#/instances';
    case 'launch':
      return '#/launch';
    case 'session':
      return `#/open/${encodeURIComponent(route.id)}`;
  }
}
