/** The present route. */

import { attempt } from '../lib/attempt';
import { hashOf, parseRoute, takeSignOnError, type Route, type SignOnError } from '../lib/route';

/** Where somebody was before they went to another service to log in. */
const KEPT = 'daas.place';

class Place {
  /** Why another service did not log somebody in, until they try again. */
  signOnError = $state<SignOnError | null>(null);
  route = $state.raw<Route>({ name: 'catalogue' });
  /** Differs for each visit to a session. */
  visit = $state(0);

  constructor() {
    this.#takeError();
    this.#comeBack();
    this.route = this.#read();
    window.addEventListener('hashchange', () => {
      const route = this.#read();
      if (hashOf(route) !== hashOf(this.route) || route.name !== this.route.name) this.#enter(route);
    });
  }

  /** The present place is where another service shall lead back to, in this tab. */
  keep(): void {
    if (this.route.name !== 'catalogue') attempt(() => sessionStorage.setItem(KEPT, hashOf(this.route)));
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

  #comeBack(): void {
    const kept = attempt(() => sessionStorage.getItem(KEPT)) ?? null;
    attempt(() => sessionStorage.removeItem(KEPT));
    if (kept !== null && window.location.hash === '') window.history.replaceState(null, '', kept);
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
