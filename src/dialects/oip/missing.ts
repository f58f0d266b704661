const SHARED_MEMORY = 'shared memory is not supported: send tensors in requests, in binary';

/** Extensions of Triton's that are not served, by their paths, with what there is instead. */
const MISSING: readonly (readonly [path: RegExp, why: string])[] = [
  [/^\/v2\/(system|cuda)sharedmemory\//, SHARED_MEMORY],
  [/^\/v2\/(models\/[^/]+\/)?trace\/setting$/, 'trace settings are not supported'],
  [/^\/v2\/logging$/, 'log settings cannot be changed while the server runs: LOG_LEVEL sets the level'],
];

/** Why there is nothing at a path of an extension that is not served; undefined at all other paths. */
export function missingExtension(path: string): string | undefined {
  return MISSING.find(([pattern]) => pattern.test(path))?.[1];
}
