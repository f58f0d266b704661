import { choice, integer, list, text } from './option.ts';

const MIB = 1024 * 1024;

/** Rows of the table of options: where bytes lie. */
export const STORAGE_OPTIONS = {
  AWS_ENDPOINT_URL_S3: text(
    '',
    "URL of the S3 storage of `s3://` places, if it is not Amazon's. Credentials and AWS_REGION are read by Amazon's SDK as its documentation says.",
  ),
  S3_ADDRESSING: choice(
    'auto',
    ['auto', 'path', 'host'],
    "Where the bucket's name stands in requests to it. auto: in the host's name at Amazon, in the path elsewhere.",
  ),
  STORAGE_PLACES: list(
    'Places that jobs and requests may name for inputs and answers, with all below them, e.g. `s3://bucket/,https://host/,file:///data/`, separated by commas; empty: none.',
  ),
  // Paths of this machine are not shown to clients.
  STORAGE_CACHE_DIR: {
    ...text('', 'Folder that keeps inputs from such places for later requests, this process alone; empty: none.'),
    secret: true,
  },
  STORAGE_CACHE_BYTES: integer(
    1024 * MIB,
    [MIB, 100_000_000 * MIB],
    "Most bytes in STORAGE_CACHE_DIR, also while something is fetched. They count in SaladCloud's `storage_amount`.",
    'bytes',
  ),
};
