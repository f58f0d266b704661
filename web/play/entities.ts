import { asObject, numberAt, textAt } from './json-shape.ts';
import type { Piece } from './types.ts';

interface Span {
  readonly start: number;
  readonly end: number;
  readonly label: string;
  readonly score: number;
}

/** Cuts a text at the entities of a reply, whose `start` and `end` count code points. Of two that overlap the first is marked. */
export function markEntities(text: string, entities: readonly unknown[]): Piece[] {
  const points = Array.from(text);
  const spans = entities.map(spanOf).sort((one, other) => one.start - other.start || other.end - one.end);
  const pieces: Piece[] = [];
  let at = 0;
  for (const { start, end, label, score } of spans) {
    if (!(start >= at && end > start)) continue;
    if (start > at) pieces.push({ text: points.slice(at, start).join('') });
    pieces.push({ text: points.slice(start, end).join(''), label, score });
    at = end;
  }
  if (at < points.length) pieces.push({ text: points.slice(at).join('') });
  return pieces;
}

function spanOf(value: unknown): Span {
  const entity = asObject(value, 'an entity');
  const label = textAt(entity, 'entity_group') || textAt(entity, 'entity');
  return { start: numberAt(entity, 'start'), end: numberAt(entity, 'end'), label, score: numberAt(entity, 'score') };
}
