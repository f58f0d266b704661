import type { FileHandle } from 'node:fs/promises';
import type { LimitFunction } from 'p-limit';
import { within } from '../../transfer/limit.ts';
import { piecesOf, type Piece } from '../../transfer/piece.ts';
import { Together } from '../../transfer/together.ts';
import { StorageError } from '../storage.ts';
import { filePart } from './body.ts';
import { tryAgain } from './client.ts';
import { statusOf, toStorageError } from './errors.ts';
import { s3PlaceOf } from './place.ts';
import { checkAbsent, creating, headOf, sendBody, signed, type Upload } from './upload.ts';

/** Most parts of an object, by S3's rules. https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const MOST_PARTS = 10_000;
const MIB = 1024 * 1024;
/** Limit of the tidying after a failure, when the signal of the call may be aborted already. */
const TIDY_LIMIT_MS = 30_000;

export interface LargeFile {
  readonly handle: FileHandle;
  readonly size: number;
  /** Throws if the file is not what it was when the upload began. */
  readonly check: () => Promise<void>;
}

/** The size of an object's parts; all but the last have the same, as R2 wants it. */
export function partBytesOf(size: number, partBytes: number): number {
  return Math.max(partBytes, Math.ceil(size / MOST_PARTS / MIB) * MIB);
}

/**
 * Stores a large file part by part, each with its own tries and time limit. If that fails, the parts are removed before it rejects.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
 */
export async function putInParts(upload: Upload, file: LargeFile, limit: LimitFunction): Promise<void> {
  await checkAbsent(upload);
  const uploadId = await begin(upload);
  try {
    const etags: string[] = [];
    const together = new Together(upload.call.signal);
    const pieces = piecesOf(file.size, partBytesOf(file.size, upload.options.tuning.partBytes));
    await together.all(
      pieces.map((piece) =>
        limit(async () => {
          together.signal.throwIfAborted();
          etags[piece.index] = await putPart(upload, uploadId, { file, piece, signal: together.signal });
        }),
      ),
    );
    await file.check();
    await complete(upload, uploadId, etags);
  } catch (error) {
    const told = toStorageError(error, s3PlaceOf(upload.place));
    if (!(await remove(upload, uploadId))) told.message += '; the parts that were sent could not be removed';
    throw told;
  }
}

async function begin(upload: Upload): Promise<string> {
  const { connection, options, call, place } = upload;
  const { client, sdk } = connection;
  const { UploadId } = await tryAgain(options, call.signal, (signal) =>
    client.send(new sdk.CreateMultipartUploadCommand(headOf(upload)), { abortSignal: signal }),
  );
  if (UploadId !== undefined) return UploadId;
  throw new StorageError('UNAVAILABLE', `${s3PlaceOf(place)}: the storage gave no id for the upload`);
}

/** Resolves with the ETag of the part. */
async function putPart(
  upload: Upload,
  uploadId: string,
  { file, piece, signal: outer }: { file: LargeFile; piece: Piece; signal: AbortSignal },
): Promise<string> {
  const { connection, options, place } = upload;
  const { client, sdk } = connection;
  const part = { Bucket: place.bucket, Key: place.key, UploadId: uploadId, PartNumber: piece.index + 1 };
  const body = filePart(file.handle, piece.from, piece.to);
  const { ETag } = await tryAgain(options, outer, (signal) =>
    sendBody(upload, body, signal, (sent, sha256) =>
      client.send(signed(new sdk.UploadPartCommand({ ...part, ...sent }), sha256), { abortSignal: signal }),
    ),
  );
  if (ETag !== undefined) return ETag;
  throw new StorageError('UNAVAILABLE', `${s3PlaceOf(place)}: the storage gave no ETag for a part`);
}

async function complete(upload: Upload, uploadId: string, etags: readonly string[]): Promise<void> {
  const { connection, options, call, place } = upload;
  const { client, sdk } = connection;
  const input = {
    Bucket: place.bucket,
    Key: place.key,
    UploadId: uploadId,
    MultipartUpload: { Parts: etags.map((ETag, index) => ({ ETag, PartNumber: index + 1 })) },
    ...(call.onlyIfAbsent === true ? { IfNoneMatch: '*' } : {}),
  };
  await creating(upload, () =>
    tryAgain(options, call.signal, (signal) =>
      client.send(new sdk.CompleteMultipartUploadCommand(input), { abortSignal: signal }),
    ),
  );
}

/** Removes the parts of an upload that failed. Resolves with whether they are gone. */
async function remove({ connection, options, place }: Upload, uploadId: string): Promise<boolean> {
  const { client, sdk } = connection;
  const input = { Bucket: place.bucket, Key: place.key, UploadId: uploadId };
  const late = (): Error => new Error('the parts could not be removed in time');
  try {
    await within({ signal: undefined, limitMs: TIDY_LIMIT_MS, late }, (outer) =>
      tryAgain(options, outer, (signal) =>
        client.send(new sdk.AbortMultipartUploadCommand(input), { abortSignal: signal }),
      ),
    );
    return true;
  } catch (error) {
    // The storage does not know the upload any more: it was completed, or removed by an attempt whose answer was lost.
    return statusOf(error) === 404;
  }
}
