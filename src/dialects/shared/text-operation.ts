import type { Compression } from './operation.ts';

/** What rows of operations on texts have in common: lists of texts in, lists of numbers out. */
export const TEXT_OPERATION = {
  kind: 'items',
  /** Texts of this size, all together, may take more than a millisecond to prepare. */
  lightItemsBytes: 4096,
  /** Compressing more than this takes a core from inference for long. */
  compression: { codings: ['zstd', 'gzip', 'br', 'deflate'], mostBytes: 4 * 1024 * 1024 } satisfies Compression,
} as const;
