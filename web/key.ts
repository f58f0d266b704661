/** The API key that a person has given to the page. It stays in this tab, and goes when that is closed. */

const PLACE = 'carpool-key';

let key = read();
const listeners = new Set<() => void>();

function read(): string {
  try {
    return sessionStorage.getItem(PLACE) ?? '';
  } catch {
    // A browser may be told to store nothing.
    return '';
  }
}

/** Empty: there is none. */
export function currentKey(): string {
  return key;
}

/** Header of a request; none without a key. */
export function authorization(): Record<string, string> {
  return key === '' ? {} : { Authorization: `Bearer ${key}` };
}

export function setKey(given: string): void {
  key = given.trim();
  try {
    if (key === '') sessionStorage.removeItem(PLACE);
    else sessionStorage.setItem(PLACE, key);
  } catch {
    // It then lasts as long as the page.
  }
  for (const listener of listeners) listener();
}

/** Calls back at each change; the returned function ends that. */
export function onKey(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}
