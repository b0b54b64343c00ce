/** Light, dark, or as on the device. */

const KEY = 'daas.theme';
const THEMES = ['system', 'light', 'dark'] as const;

export type Theme = (typeof THEMES)[number];

export function asTheme(value: unknown): Theme {
  return THEMES.find((theme) => theme === value) ?? 'system';
}

export function following(theme: Theme): Theme {
  return THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system';
}

export function loadTheme(): Theme {
  try {
    return asTheme(localStorage.getItem(KEY));
  } catch {
    return 'system';
  }
}

/** Applies a theme and remembers it where the browser lets us. */
export function applyTheme(theme: Theme): void {
  document.documentElement.dataset['theme'] = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Not remembered, then.
  }
}
