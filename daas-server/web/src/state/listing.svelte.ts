/** A list that comes in parts. */

import type { Page } from '../lib/api/decode';
import { wordsFor } from '../lib/text';

export class Listing<T> {
  /** What has arrived so far; `null` before the first part. */
  items = $state.raw<readonly T[] | null>(null);
  problem = $state<string | null>(null);
  busy = $state(false);
  #next = $state<string | null>(null);
  #turn = 0;
  readonly #fetch: (cursor: string | null) => Promise<Page<T>>;

  constructor(fetch: (cursor: string | null) => Promise<Page<T>>) {
    this.#fetch = fetch;
  }

  get hasMore(): boolean {
    return this.#next !== null;
  }

  /** From the beginning; an older answer that comes late is not taken. */
  load = (): Promise<void> => this.#part(null, []);

  more = (): Promise<void> => this.#part(this.#next, this.items ?? []);

  /** Shows a change that the server has accepted. */
  replace(change: (items: readonly T[]) => readonly T[]): void {
    this.items = change(this.items ?? []);
  }

  async #part(cursor: string | null, before: readonly T[]): Promise<void> {
    const turn = ++this.#turn;
    this.busy = true;
    try {
      const page = await this.#fetch(cursor);
      if (turn === this.#turn) this.#take(page, before);
    } catch (error) {
      if (turn === this.#turn) this.problem = wordsFor(error);
    } finally {
      if (turn === this.#turn) this.busy = false;
    }
  }

  #take(page: Page<T>, before: readonly T[]): void {
    this.items = [...before, ...page.items];
    this.#next = page.next;
    this.problem = null;
  }
}
