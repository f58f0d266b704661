import { fileURLToPath } from 'node:url';

const APP = fileURLToPath(new URL('app2v2.js', import.meta.url));

/** A message of SaladCloud's demo app 2, `{"parameters", "bucket", "folder"}`, as a job that runs its program; all its files lie below the folder. */
export function toJob({ parameters, bucket, folder }) {
  const rule = (direction, local_path, pattern) => ({ bucket, prefix: `${folder}/`, local_path, direction, pattern });
  const { INPUT_DIR = '/input', OUTPUT_DIR = '/output', CHECKPOINT_DIR = '/checkpoint' } = process.env;
  return {
    custom_id: folder,
    command: process.execPath,
    arguments: [APP],
    environment: parameters,
    sync: {
      before: [rule('download', INPUT_DIR, String.raw`(input|state|logs)\.txt$`)],
      // The log first: the state says what is safe, so it comes last.
      during: ['^logs', '^state'].map((pattern) => rule('upload', CHECKPOINT_DIR, pattern)),
      after: [rule('upload', OUTPUT_DIR, '^output')],
    },
  };
}
