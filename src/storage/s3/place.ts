import { StorageError } from '../storage.ts';

/** An object of a bucket, or the objects whose keys begin with `key`. */
export interface S3Place {
  readonly bucket: string;
  /** As it is, not URL-encoded. */
  readonly key: string;
}

const MOST_KEY_BYTES = 1024;

/** Reads `s3://bucket/key`. Throws BAD_PLACE. */
export function s3Object(place: string): S3Place {
  const found = s3Prefix(place);
  if (found.key === '') throw new StorageError('BAD_PLACE', `${place}: the key of the object is missing`);
  return found;
}

/** Reads `s3://bucket/prefix`, whose prefix may be empty. Throws BAD_PLACE. */
export function s3Prefix(place: string): S3Place {
  const [, bucket, key = ''] = /^s3:\/\/([a-zA-Z0-9][a-zA-Z0-9._-]{1,254})(?:\/(.*))?$/s.exec(place) ?? [];
  if (bucket === undefined)
    throw new StorageError('BAD_PLACE', `${place.slice(0, 200)}: must be s3://bucket/key, with the name of a bucket`);
  if (Buffer.byteLength(key) > MOST_KEY_BYTES)
    throw new StorageError('BAD_PLACE', `s3://${bucket}/${key.slice(0, 100)}...: the key has more than 1024 bytes`);
  return { bucket, key };
}

export function s3PlaceOf({ bucket, key }: S3Place): string {
  return `s3://${bucket}/${key}`;
}
