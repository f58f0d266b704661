import type { Compression } from './operation.ts';

/** Fields that operations on texts have in common: they take lists of texts and give lists of numbers. */
export const TEXT_OPERATION = {
  kind: 'items',
  /** Texts of this size, all together, may take more than a millisecond to prepare. */
  lightItemsBytes: 4096,
  /** Compressing more than this takes a core from inference for long. */
  compression: { codings: ['zstd', 'gzip', 'br', 'deflate'], mostBytes: 4 * 1024 * 1024 } satisfies Compression,
} as const;
