/** Light or dark: as the system says, unless a person has chosen for this browser. */

export type Theme = 'system' | 'light' | 'dark';

const PLACE = 'carpool-theme';
const ORDER: readonly Theme[] = ['system', 'light', 'dark'];

export function currentTheme(): Theme {
  try {
    const stored = localStorage.getItem(PLACE);
    return stored === 'light' || stored === 'dark' ? stored : 'system';
  } catch {
    return 'system';
  }
}

/** Sets it for the page, and for later visits. */
export function setTheme(theme: Theme): void {
  const { dataset } = document.documentElement;
  if (theme === 'system') delete dataset['theme'];
  else dataset['theme'] = theme;
  try {
    if (theme === 'system') localStorage.removeItem(PLACE);
    else localStorage.setItem(PLACE, theme);
  } catch {
    // It then lasts as long as the page.
  }
}

/** The one after it, for a button that goes through all. */
export function nextTheme(theme: Theme): Theme {
  return ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length] ?? 'system';
}
