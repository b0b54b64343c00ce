/** Warns whoever looks at a desktop that it is about to end by itself. */

import type { Instance } from '../lib/api/types';
import { warningOf, type Warning } from '../lib/ending';
import { serverNow } from '../lib/server-time';
import { t } from '../lib/text';
import { model } from './model.svelte';
import { notices } from './notices.svelte';

/** What may have changed elsewhere is asked for so often while there is a warning. */
const ASK_MS = 20_000;

export class EndingWatch {
  /** What is to be shown. */
  warning = $state.raw<Warning | null>(null);
  busy = $state(false);
  /** When the server was asked since there is something to warn of, and whether it has answered. */
  #askedAt: number | null = null;
  #known = false;

  /** Looks again. `usedAt` is when there was last input here, by the clock of this device. */
  tick(instance: Instance | null, usedAt: number | null): void {
    const now = serverNow();
    const used = usedAt === null ? null : serverNow(usedAt);
    const runs = instance?.state === 'running';
    const found = runs ? warningOf(instance.ends, used, now) : null;
    if (instance === null || found === null) return this.#calm(instance);
    if (this.#askedAt === null || now - this.#askedAt >= ASK_MS) this.#ask(instance, now);
    // Somebody may use it in another window: then there is nothing to warn of.
    this.warning = this.#known ? found : null;
  }

  async extend(instance: Instance): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    if (await model.extend(instance)) notices.say(t.ending.extended);
    this.busy = false;
  }

  /** There is nothing to warn of, or not any more: then something else may come next. */
  #calm(instance: Instance | null): void {
    const was = this.warning !== null;
    this.warning = null;
    this.#askedAt = null;
    this.#known = false;
    if (was && instance?.state === 'running') model.refresh(instance.id).catch(() => undefined);
  }

  #ask(instance: Instance, now: number): void {
    this.#askedAt = now;
    const answered = () => {
      this.#known = this.#askedAt !== null;
    };
    // Without an answer what was known before still holds.
    model.refresh(instance.id).then(answered, answered);
  }
}
