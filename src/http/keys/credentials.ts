import type { IncomingMessage } from 'node:http';

/** Headers that may bring a key, in the order in which they are looked at. */
export const KEY_HEADERS = ['authorization', 'x-api-key', 'salad-api-key'] as const;

const BEARER = 'bearer ';

/** What a request brings in place of a key: none, or, because a proxy may look at the one and we at the other, a header twice. */
export type Credentials = { readonly texts: readonly string[] } | { readonly twice: string };

/**
 * The texts that may be a key: several headers may each bring one, because a gateway in front has a key of its own. Of `Authorization` the scheme Bearer
 * counts (RFC 6750 2.1), others are for somebody else.
 */
export function credentialsOf({ headers, rawHeaders }: IncomingMessage): Credentials {
  const texts: string[] = [];
  for (const name of KEY_HEADERS) {
    const value = headers[name];
    if (value === undefined) continue;
    if (countOf(name, rawHeaders) > 1) return { twice: name };
    const text = typeof value === 'string' ? value : value.join();
    const key = name === 'authorization' ? bearerOf(text) : text;
    if (key !== '') texts.push(key);
  }
  return { texts };
}

/** The token of a value of `Authorization`; of other schemes nothing. */
function bearerOf(value: string): string {
  return value.slice(0, BEARER.length).toLowerCase() === BEARER ? value.slice(BEARER.length).trim() : '';
}

/** Node keeps the first of two `Authorization` headers and joins others. */
function countOf(name: string, rawHeaders: readonly string[]): number {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const raw = rawHeaders[at];
    if (raw?.length === name.length && raw.toLowerCase() === name) count += 1;
  }
  return count;
}
