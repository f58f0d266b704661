import { useEffect, useState } from 'preact/hooks';
import { currentKey, onKey } from './key.ts';
import { currentLive, onLive, type Live } from './live/connection.ts';
import { placeOf, type Place } from './router.ts';

/** Values that change outside of the views, for views. */

/** A value that a view follows: it is drawn again at each change. */
function useFollowed<Value>(read: () => Value, follow: (listener: () => void) => () => void): Value {
  const [value, setValue] = useState(read);
  useEffect(() => {
    // It may have changed before this was called.
    setValue(() => read());
    return follow(() => setValue(() => read()));
  }, []);
  return value;
}

/** What the server tells, as it tells it. */
export function useLive(): Live {
  return useFollowed(currentLive, onLive);
}

/** A part of what the server tells: the view is drawn again when that part changes. `read` is the same as long as the view is there. */
export function useLivePart<Part extends string | number | boolean>(read: (live: Live) => Part): Part {
  return useFollowed(() => read(currentLive()), onLive);
}

/** The API key; empty: there is none. */
export function useKey(): string {
  return useFollowed(currentKey, onKey);
}

/** What the address of the page names. */
export function usePlace(): Place {
  return useFollowed(
    () => placeOf(location.hash),
    (listener) => {
      window.addEventListener('hashchange', listener);
      return () => window.removeEventListener('hashchange', listener);
    },
  );
}
