/** What an action gives, where it is possible: browsers may forbid storage, or it is full. */
export function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
