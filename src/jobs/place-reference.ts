import { z } from 'zod';
import { isPlace } from '../storage/places.ts';

/** Where something lies that a job would else hold: its body, or the answer once there is one. */
export interface PlaceReference {
  readonly place: string;
  /** Of what lies there; absent: as its storage says, or JSON. */
  readonly contentType?: string | undefined;
}

const MOST_CHARACTERS = 4096;

const error = 'must be a place ("s3://bucket/key", "https://...", "file:///...") or {"url": a place, "content_type"}';
const place = z.string().max(MOST_CHARACTERS, { error }).refine(isPlace, { error });
const located = z.strictObject({ url: place, content_type: z.string().min(1).max(200).optional() }, { error });

/** `"s3://bucket/key"`, or `{"url": "https://...", "content_type"}`; any kind of place may stand in either. */
export const PLACE_REFERENCE = z
  .union([place, located], { error })
  .transform((value): PlaceReference =>
    typeof value === 'string' ? { place: value } : { place: value.url, contentType: value.content_type },
  );
