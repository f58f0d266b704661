import { randomUUID } from 'node:crypto';
import type { PutObjectCommandInput, UploadPartCommandInput } from '@aws-sdk/client-s3';
import type { Readable } from 'node:stream';
import { StorageError, type WriteCall } from '../storage.ts';
import type { Body } from './body.ts';
import { tryAgain, type S3Connection, type S3Options } from './client.ts';
import { statusOf } from './errors.ts';
import { s3PlaceOf, type S3Place } from './place.ts';

/** One object that is being stored. */
export interface Upload {
  readonly connection: S3Connection;
  readonly options: S3Options;
  readonly place: S3Place;
  readonly call: WriteCall;
  /** In the metadata of what it stores, because an answer may be lost: by it, an upload knows its own object. */
  readonly id: string;
}

export function newUpload(parts: Omit<Upload, 'id'>): Upload {
  return { ...parts, id: randomUUID() };
}

const ID_NAME = 'carpool-upload';

/** What all requests that create an object say. */
export function headOf({
  place,
  call,
  id,
}: Upload): Pick<PutObjectCommandInput, 'Bucket' | 'Key' | 'ContentType' | 'Metadata'> {
  return {
    Bucket: place.bucket,
    Key: place.key,
    ContentType: call.contentType ?? 'application/octet-stream',
    Metadata: { [ID_NAME]: id },
  };
}

/** The bytes of less are sent before an answer could stop them. */
const LEAST_CHECKED_BYTES = 128 * 1024;

/** Stores a small object in one request. */
export async function putObject(upload: Upload, body: Body): Promise<void> {
  if (body.size > LEAST_CHECKED_BYTES) await checkAbsent(upload);
  const { connection, options, call } = upload;
  const condition = call.onlyIfAbsent === true ? { IfNoneMatch: '*' } : {};
  const { PutObjectCommand } = connection.sdk;
  await creating(upload, () =>
    tryAgain(options, call.signal, (signal) =>
      sendBody(upload, body, signal, (sent, sha256) =>
        connection.client.send(signed(new PutObjectCommand({ ...headOf(upload), ...condition, ...sent }), sha256), {
          abortSignal: signal,
        }),
      ),
    ),
  );
}

/** Makes one attempt to send a body. What was counted of one that fails is taken back. */
export async function sendBody<Result>(
  { call }: Upload,
  body: Body,
  signal: AbortSignal,
  send: (sent: Required<Pick<UploadPartCommandInput, 'Body' | 'ContentLength'>>, sha256: string) => Promise<Result>,
): Promise<Result> {
  const sha256 = await body.sha256();
  signal.throwIfAborted();
  let counted = 0;
  const stream = body.open((bytes) => {
    counted += bytes;
    call.onBytes?.(bytes);
  });
  try {
    return await Promise.race([send({ Body: stream, ContentLength: body.size }, sha256), failureOf(stream)]);
  } catch (error) {
    call.onBytes?.(-counted);
    throw error;
  } finally {
    stream.destroy();
  }
}

/** The request does not notice that its body has failed. */
function failureOf(stream: Readable): Promise<never> {
  return new Promise((_resolve, reject) => stream.on('error', reject));
}

interface Middlewares {
  readonly middlewareStack: {
    add(middleware: (next: (args: never) => unknown) => (args: never) => unknown, options: object): void;
  };
}

/** Gives a command the SHA-256 of its body, which the signature holds: the storage refuses a body that has become another on its way. */
export function signed<Command extends Middlewares>(command: Command, sha256: string): Command {
  command.middlewareStack.add(
    (next) => (args: { request: { headers: Record<string, string> } }) => {
      args.request.headers['x-amz-content-sha256'] = sha256;
      return next(args as never);
    },
    { step: 'build', priority: 'low', name: 'bodySha256' },
  );
  return command;
}

/** Runs the request that creates the object. If it fails though it may have been carried out, because its answer was lost, the object itself says what happened. */
export async function creating(upload: Upload, create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    upload.call.signal.throwIfAborted();
    const found = await lookUp(upload);
    if (found === 'ours') return;
    // A storage that refuses at once may close the connection while the body is still being sent.
    if (upload.call.onlyIfAbsent === true && (found === 'other' || statusOf(error) === 412)) throw exists(upload.place);
    throw error;
  }
}

/** Rejects with EXISTS if an upload that must be the first is not: before its bytes are sent. */
export async function checkAbsent(upload: Upload): Promise<void> {
  if (upload.call.onlyIfAbsent === true && (await lookUp(upload)) === 'other') throw exists(upload.place);
}

function exists(place: S3Place): StorageError {
  return new StorageError('EXISTS', `${s3PlaceOf(place)}: there is an object already`);
}

/** A storage that does not answer has been waited for already. */
const LOOKS = 3;

/** Whose object is in the place; undefined: nobody's, or that cannot be found out. */
async function lookUp({ connection, options, place, call, id }: Upload): Promise<'ours' | 'other' | undefined> {
  const { client, sdk } = connection;
  const head = new sdk.HeadObjectCommand({ Bucket: place.bucket, Key: place.key });
  try {
    const { Metadata } = await tryAgain(
      { ...options, tuning: { ...options.tuning, attempts: LOOKS } },
      call.signal,
      (signal) => client.send(head, { abortSignal: signal }),
    );
    return Metadata?.[ID_NAME] === id ? 'ours' : 'other';
  } catch {
    call.signal.throwIfAborted();
    return undefined;
  }
}
