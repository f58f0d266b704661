import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Busboy } from '@fastify/busboy';
import { boundaryOf, formType, malformedForm } from '../dialects/openai/multipart.ts';
import { asError, ServerError } from '../errors.ts';

/** A form whose file does not fit into memory: it is taken as it comes. */
export interface UploadForm<Taken> {
  readonly fields: ReadonlyMap<string, string>;
  /** Undefined: the form has no field `file`. */
  readonly file: { readonly name: string; readonly taken: Taken } | undefined;
}

const MOST_PARTS = 16;
const MOST_HEADER_BYTES = 8192;
const MOST_FIELD_BYTES = 4096;
const MOST_NAME_CHARACTERS = 255;

/**
 * Reads a `multipart/form-data` body with short fields and one file, `file`, whose bytes go to `take`. Rejects with UNSUPPORTED_MEDIA_TYPE, BAD_REQUEST for what is no such form,
 * CANCELLED when the client has left, and what `take` rejects with. What was taken is given to `drop` then.
 */
export async function readUploadForm<Taken>(
  request: IncomingMessage,
  take: (pieces: AsyncIterable<Uint8Array>) => Promise<Taken>,
  drop: (taken: Taken) => Promise<void>,
): Promise<UploadForm<Taken>> {
  if (request.headers['content-encoding'] !== undefined)
    throw new ServerError('UNSUPPORTED_MEDIA_TYPE', 'Files are not taken with a content encoding.');
  const boundary = boundaryOf(request.headers['content-type']);
  const form = new Busboy({
    headers: { 'content-type': formType(boundary) },
    limits: { parts: MOST_PARTS, headerSize: MOST_HEADER_BYTES, fieldSize: MOST_FIELD_BYTES },
    isPartAFile: (name) => name === 'file',
  });
  const fields = new Map<string, string>();
  let stream: Readable | undefined;
  let name = '';
  let taking: Promise<Taken> | undefined;
  let refusal: Error | undefined;
  form.on('field', (field, value) => void fields.set(field, value));
  form.on('file', (_, pieces, fileName: string | undefined) => {
    // A form that ends too early ends its files, perhaps before anybody reads them: unheard, that would end the process.
    pieces.on('error', () => undefined);
    if (stream !== undefined) {
      pieces.resume();
      return;
    }
    stream = pieces;
    name = (fileName ?? '').slice(0, MOST_NAME_CHARACTERS);
    taking = take(pieces);
    taking.catch((error: unknown) => {
      refusal ??= asError(error);
      // Ends the pipeline below: the rest is not wanted.
      form.destroy(new Error('refused'));
    });
  });
  const { socket } = request;
  try {
    await pipeline(request, form, { end: true });
  } catch (error) {
    // Node takes it from a request that it destroys; the refusal is still to be sent and logged.
    request.socket = socket;
    // What `take` makes of the end of its pieces is no refusal of its own.
    const reason = refusal;
    stream?.destroy(new ServerError('CANCELLED'));
    const taken = await taking?.catch(() => undefined);
    if (taken !== undefined) await drop(taken);
    throw (
      reason ?? (request.destroyed && !request.complete ? new ServerError('CANCELLED') : malformedForm(error, boundary))
    );
  }
  const taken = await taking;
  return { fields, file: taken === undefined ? undefined : { name, taken } };
}
