/** The present route. */

import { hashOf, parseRoute, takeSignOnError, type Route, type SignOnError } from '../lib/route';

class Place {
  /** Why another service did not log somebody in, until they try again. */
  signOnError = $state<SignOnError | null>(null);
  route = $state.raw<Route>({ name: 'catalogue' });
  /** Differs for each visit to a session. */
  visit = $state(0);

  constructor() {
    this.#takeError();
    this.route = this.#read();
    window.addEventListener('hashchange', () => {
      const route = this.#read();
      if (hashOf(route) !== hashOf(this.route) || route.name !== this.route.name) this.#enter(route);
    });
  }

  go(route: Route): void {
    this.#enter(route);
    window.location.hash = hashOf(route);
  }

  /** The same visit under another name, and "back" does not lead to the old one. */
  rename(route: Route): void {
    window.history.replaceState(null, '', hashOf(route));
    this.route = route;
  }

  /** What invites somebody is a secret: it leaves the address and the history at once. */
  #read(): Route {
    const route = parseRoute(window.location.hash);
    if (route.name === 'invitation') window.history.replaceState(null, '', hashOf(route));
    return route;
  }

  #takeError(): void {
    const { error, rest } = takeSignOnError(window.location.search);
    if (error === null) return;
    this.signOnError = error;
    window.history.replaceState(null, '', window.location.pathname + rest + window.location.hash);
  }

  #enter(route: Route): void {
    this.visit++;
    this.route = route;
  }
}

export const place = new Place();
