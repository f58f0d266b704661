import type { ServerError } from '../../errors.ts';
import type { Exchange } from '../exchange.ts';

/** Jobs, files and batches belong to the key that they came with, by its name: others do not see them. A key that may manage sees those of all. */

type Asked = Pick<Exchange, 'key'>;

/** To whom belongs what a request makes; null: to nobody, where there are no keys. */
export function ownerOf({ key }: Asked): string | null {
  return key?.name ?? null;
}

/** Whose things a request may see; undefined: everybody's. */
export function visibleTo({ key }: Asked): string | undefined {
  return key === undefined || key.scopes.has('manage') ? undefined : key.name;
}

/** The thing, if the request may see it. Throws the error of a thing that is not there if it may not. */
export function seen<Thing extends { readonly owner: string | null }>(
  asked: Asked,
  thing: Thing,
  absent: () => ServerError,
): Thing {
  const owner = visibleTo(asked);
  if (owner !== undefined && thing.owner !== owner) throw absent();
  return thing;
}

/** What tells a sender's jobs apart: another key's of the same name is another. */
export function ownKey(asked: Asked, key: string | null): string | null {
  const owner = ownerOf(asked);
  return owner === null || key === null ? key : `${owner}\n${key}`;
}
