/** Addresses within the page: what follows `#`. They need no route of the server, and work below any path. */

/** A view and what it is to show: `#/play/language-id` is the view `play` of `language-id`. */
export interface Place {
  readonly view: string;
  readonly rest: readonly string[];
}

/** The place that a fragment names; the dashboard where it names none. */
export function placeOf(fragment: string): Place {
  const [view = '', ...rest] = fragment
    .replace(/^#?\/?/, '')
    .split('/')
    .map(decoded);
  return { view: view === '' ? 'dashboard' : view, rest: rest.filter((part) => part !== '') };
}

/** The fragment of a place, for links. */
export function linkTo(view: string, ...rest: readonly string[]): string {
  return `#/${[view, ...rest].map(encodeURIComponent).join('/')}`;
}

/** Somebody may have typed it. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
