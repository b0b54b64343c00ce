/**
 * Where in the page we are. Kept behind the `#`, so that the server need not know of it.
 */

export const ADMIN_PARTS = ['users', 'groups', 'apps', 'sessions', 'hosts', 'audit'] as const;

export type AdminPart = (typeof ADMIN_PARTS)[number];

export type Route =
  | { readonly name: 'catalogue' }
  | { readonly name: 'instances' }
  /** One of them. */
  | { readonly name: 'details'; readonly id: string }
  /** An application is being launched; there is no instance yet. */
  | { readonly name: 'launch' }
  | { readonly name: 'session'; readonly id: string }
  | { readonly name: 'profile' }
  /** Without a part it is the first that somebody may see; with an id one user or group. */
  | { readonly name: 'admin'; readonly part: AdminPart | null; readonly id: string | null }
  /** Somebody was invited. The token is in no address that the page writes. */
  | { readonly name: 'invitation'; readonly token: string };

const CATALOGUE: Route = { name: 'catalogue' };

export function parseRoute(hash: string): Route {
  const [first = '', second = '', third = ''] = hash.replace(/^#?\/?/, '').split('/');
  switch (first) {
    case 'instances': {
      const id = decoded(second);
      return id === '' ? { name: 'instances' } : { name: 'details', id };
    }
    case 'launch':
    case 'profile':
      return { name: first };
    case 'open':
      return withId(decoded(second), (id) => ({ name: 'session', id }));
    case 'invitation':
      return withId(decoded(second), (token) => ({ name: 'invitation', token }));
    case 'admin':
      return adminRoute(second, decoded(third));
    default:
      return CATALOGUE;
  }
}

function withId(id: string, make: (id: string) => Route): Route {
  return id === '' ? CATALOGUE : make(id);
}

function adminRoute(word: string, id: string): Route {
  const part = ADMIN_PARTS.find((known) => known === word) ?? null;
  const one = id !== '' && (part === 'users' || part === 'groups');
  return { name: 'admin', part, id: one ? id : null };
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
    case 'invitation':
      return '#/';
    case 'instances':
    case 'launch':
    case 'profile':
      return `#/${route.name}`;
    case 'details':
      return `#/instances/${encodeURIComponent(route.id)}`;
    case 'session':
      return `#/open/${encodeURIComponent(route.id)}`;
    case 'admin': {
      const parts = [route.part, route.id].filter((part) => part !== null);
      return ['#/admin', ...parts.map(encodeURIComponent)].join('/');
    }
  }
}

const SIGN_ON_ERRORS = ['denied', 'expired', 'failed', 'disabled', 'unknown'] as const;

/** Why another service did not log somebody in. */
export type SignOnError = (typeof SIGN_ON_ERRORS)[number];

/** The error that an address brings back from another service, and the rest of its query. */
export function takeSignOnError(search: string): { error: SignOnError | null; rest: string } {
  const parameters = new URLSearchParams(search);
  const word = parameters.get('sign_on_error');
  if (word === null) return { error: null, rest: search };
  parameters.delete('sign_on_error');
  const rest = parameters.toString();
  return { error: SIGN_ON_ERRORS.find((known) => known === word) ?? 'unknown', rest: rest === '' ? '' : `?${rest}` };
}
