/** How good a connection is, from the round trips of pings. */

export type Grade = 'unknown' | 'good' | 'slow' | 'unstable';

export interface Quality {
  readonly grade: Grade;
  /** Median of the last round trips in milliseconds, or `null` while none is known. */
  readonly ms: number | null;
}

/** How many round trips are looked at: some five seconds. */
const WINDOW = 10;
/** From here on typing feels late. */
const SLOW_MS = 150;
/** From here on, differences between round trips are felt as stutter. */
const JITTER_MS = 250;

export class QualityMeter {
  #samples: number[] = [];
  #silent = false;

  /** A ping came back after this many milliseconds. */
  roundtrip(ms: number): void {
    this.#samples = [...this.#samples.slice(1 - WINDOW), ms];
  }

  /** Whether nothing arrives at present. */
  silent(silent: boolean): void {
    this.#silent = silent;
  }

  read(): Quality {
    const ms = this.#median();
    return { ms, grade: this.#grade(ms) };
  }

  #grade(ms: number | null): Grade {
    if (this.#silent) return 'unstable';
    if (ms === null) return 'unknown';
    if (this.#spread() > JITTER_MS) return 'unstable';
    return ms >= SLOW_MS ? 'slow' : 'good';
  }

  #sorted(): number[] {
    return [...this.#samples].sort((a, b) => a - b);
  }

  #median(): number | null {
    const sorted = this.#sorted();
    const middle = sorted[Math.floor(sorted.length / 2)];
    return middle === undefined ? null : Math.round(middle);
  }

  /** Between the second highest and the second lowest: one odd ping says nothing. */
  #spread(): number {
    const sorted = this.#sorted();
    if (sorted.length < 4) return 0;
    return (sorted.at(-2) ?? 0) - (sorted[1] ?? 0);
  }
}
