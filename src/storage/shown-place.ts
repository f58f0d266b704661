const MOST_CHARACTERS = 300;

/**
 * A place without what grants access to it: of a URL its query, which of a presigned one is a secret, and a user's name and password. A key of `s3://`
 * may hold any character, and stays whole.
 */
export function plainPlace(place: string): string {
  const [plain = ''] = /^s3:/i.test(place) ? [place] : place.split(/[?#]/, 1);
  return plain.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, '$1');
}

/** A plain place for messages and logs, of limited length. */
export function shownPlace(place: string): string {
  const shown = plainPlace(place);
  return shown.length <= MOST_CHARACTERS ? shown : `${shown.slice(0, MOST_CHARACTERS - 3)}...`;
}
