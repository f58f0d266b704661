import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { HeadObjectOutput } from '@aws-sdk/client-s3';
import type { WholeHash } from '../ranges.ts';

/** Encryptions under which an ETag is no MD5. */
const OTHER_ETAGS = /^aws:/;
/** Buckets whose ETags are none either. */
const EXPRESS_BUCKET = /--x-s3$/;

/**
 * The checksum of a whole object that the storage tells, if it tells one: its own first, else the ETag of an object that was sent in one piece, which is
 * its MD5. That of an object of several parts depends on their size, so it says nothing here.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
 */
export async function checksumOf(head: HeadObjectOutput, bucket: string): Promise<WholeHash | undefined> {
  if (head.ChecksumType !== 'COMPOSITE') {
    if (isPlain(head.ChecksumCRC32)) return crc32Of(head.ChecksumCRC32);
    if (isPlain(head.ChecksumCRC64NVME)) return crc64Of(head.ChecksumCRC64NVME);
    if (isPlain(head.ChecksumSHA256)) return digestOf('sha256', head.ChecksumSHA256, 'base64');
    if (isPlain(head.ChecksumSHA1)) return digestOf('sha1', head.ChecksumSHA1, 'base64');
  }
  const md5 = md5Of(head, bucket);
  return md5 === undefined ? undefined : digestOf('md5', md5, 'hex');
}

function md5Of(head: HeadObjectOutput, bucket: string): string | undefined {
  const isEncrypted = OTHER_ETAGS.test(head.ServerSideEncryption ?? '') || head.SSECustomerAlgorithm !== undefined;
  if (isEncrypted || EXPRESS_BUCKET.test(bucket)) return undefined;
  return /^"?([0-9a-f]{32})"?$/.exec(head.ETag ?? '')?.[1];
}

/** A checksum of checksums ends in the number of parts. */
function isPlain(checksum: string | undefined): checksum is string {
  return checksum !== undefined && !checksum.includes('-');
}

function crc32Of(expected: string): WholeHash {
  let value = 0;
  return {
    update: (chunk) => (value = crc32(chunk, value)),
    isRight() {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return bytes.toString('base64') === expected;
    },
  };
}

/** The one that Amazon and R2 compute by themselves. Its code is part of the SDK, and loaded like it. */
async function crc64Of(expected: string): Promise<WholeHash> {
  const { Crc64Nvme } = await import('@aws-sdk/checksums/crc');
  const hash = new Crc64Nvme();
  return {
    update: (chunk) => hash.update(chunk),
    isRight: async () => Buffer.from(await hash.digest()).toString('base64') === expected,
  };
}

function digestOf(algorithm: string, expected: string, encoding: 'base64' | 'hex'): WholeHash {
  const hash = createHash(algorithm);
  return { update: (chunk) => hash.update(chunk), isRight: () => hash.digest(encoding) === expected };
}
