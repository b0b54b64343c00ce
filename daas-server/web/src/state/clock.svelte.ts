/** The time, for what is shown in minutes and hours. */

const EVERY_MS = 20_000;

class Clock {
  now = $state(Date.now());

  constructor() {
    window.setInterval(() => (this.now = Date.now()), EVERY_MS);
  }
}

export const clock = new Clock();
