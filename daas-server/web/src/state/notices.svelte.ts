/** Short messages: shown for a while, and read out. */

const SHOWN_MS = 10_000;
const AT_ONCE_MAX = 4;

export interface Notice {
  readonly id: number;
  readonly text: string;
  readonly kind: 'error' | 'info';
}

class Notices {
  list = $state.raw<readonly Notice[]>([]);
  /** Read out by screen readers, not shown. */
  spoken = $state('');
  #last = 0;

  error(text: string): void {
    this.#show(text, 'error');
  }

  info(text: string): void {
    this.#show(text, 'info');
  }

  /** Tells those who cannot see it. */
  say(text: string): void {
    // The same text twice would not be read out twice.
    this.spoken = text === this.spoken ? `${text}\u00a0` : text;
  }

  dismiss(id: number): void {
    this.list = this.list.filter((notice) => notice.id !== id);
  }

  clear(): void {
    this.list = [];
  }

  #show(text: string, kind: Notice['kind']): void {
    const id = ++this.#last;
    const others = this.list.filter((notice) => notice.text !== text);
    this.list = [...others, { id, text, kind }].slice(-AT_ONCE_MAX);
    window.setTimeout(() => this.dismiss(id), SHOWN_MS);
  }
}

export const notices = new Notices();
