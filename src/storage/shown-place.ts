const MOST_CHARACTERS = 300;

/** A place for messages and logs: without its query, which of a presigned URL is a secret, and without a user's name and password. */
export function shownPlace(place: string): string {
  const [plain = ''] = place.split(/[?#]/, 1);
  const shown = plain.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, '$1');
  return shown.length <= MOST_CHARACTERS ? shown : `${shown.slice(0, MOST_CHARACTERS - 3)}...`;
}
