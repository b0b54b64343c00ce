/** The present route. */

import { hashOf, parseRoute, type Route } from '../lib/route';

class Place {
  route = $state.raw<Route>(parseRoute(window.location.hash));
  /** Differs for each visit to a session. */
  visit = $state(0);

  constructor() {
    window.addEventListener('hashchange', () => {
      const route = parseRoute(window.location.hash);
      if (hashOf(route) !== hashOf(this.route)) this.#enter(route);
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

  #enter(route: Route): void {
    this.visit++;
    this.route = route;
  }
}

export const place = new Place();
