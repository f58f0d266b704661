import { Busboy } from '@fastify/busboy';
import { format, parse } from 'content-type';
import { z } from 'zod';
import { messageOf, ServerError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../json.ts';

/** One part of a form. */
export interface FormPart {
  readonly name: string;
  /** Lower case, without parameters; `text/plain` where the part has none. */
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

const FORM = 'multipart/form-data';
const MOST_PARTS = 64;
const MOST_HEADER_BYTES = 8192;
/** RFC 2046 5.1.1 */
const MOST_BOUNDARY_CHARACTERS = 70;

/**
 * The parts of a `multipart/form-data` body, in order (RFC 7578). Parts without a name are left out. Rejects with UNSUPPORTED_MEDIA_TYPE for another content
 * type, BAD_REQUEST for a body that is cut off, is no form or has too many parts.
 */
export async function parseMultipart(body: Uint8Array, contentType: string | undefined): Promise<FormPart[]> {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const parts = await readParts(bytes, boundaryOf(contentType));
  return parts.flatMap(({ name, contentType: type, pieces }) =>
    name === undefined ? [] : [{ name, contentType: type, bytes: joined(pieces) }],
  );
}

interface ReadPart {
  readonly name: string | undefined;
  readonly contentType: string;
  readonly pieces: Buffer[];
}

function readParts(bytes: Buffer, boundary: string): Promise<ReadPart[]> {
  return new Promise((resolve, reject) => {
    const parts: ReadPart[] = [];
    const form = new Busboy({
      headers: { 'content-type': formType(boundary) },
      limits: { parts: MOST_PARTS, headerSize: MOST_HEADER_BYTES },
      // All is here already. At the default of 64 KiB the parser waits for a reader, and for ever where it skips the part itself.
      fileHwm: bytes.byteLength + 1,
      // Bytes of a part come unchanged, whatever its type: the schema decides which fields are files.
      isPartAFile: () => true,
    });
    form.on('file', (name: string | undefined, stream, ...[, , partType]) => {
      const pieces: Buffer[] = [];
      parts.push({ name, contentType: partType, pieces });
      stream.on('data', (piece: Buffer) => void pieces.push(piece));
      // The form fails with it.
      stream.on('error', () => undefined);
    });
    form.on('partsLimit', () => {
      // Out of `end` below, so that what follows is not looked at.
      throw malformed(`it has more than ${MOST_PARTS} parts`);
    });
    form.on('error', (error) => reject(malformedForm(error, boundary)));
    form.on('finish', () => resolve(parts));
    form.end(bytes);
  });
}

/** The content type of a form with its boundary alone, because the parser reads other parameters in its own way. */
export function formType(boundary: string): string {
  return format({ type: FORM, parameters: { boundary } });
}

/** The boundary of a form. Throws UNSUPPORTED_MEDIA_TYPE, BAD_REQUEST. */
export function boundaryOf(contentType = ''): string {
  const { type, parameters } = parse(contentType);
  if (type !== FORM) throw new ServerError('UNSUPPORTED_MEDIA_TYPE', 'This address takes multipart/form-data.');
  const { boundary = '' } = parameters;
  if (boundary === '' || boundary.length > MOST_BOUNDARY_CHARACTERS)
    throw malformed('its content type names no boundary of 1 to 70 characters');
  return boundary;
}

function joined(pieces: readonly Buffer[]): Uint8Array {
  const [only] = pieces;
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces);
}

/** BAD_REQUEST for what the parser of a form has failed with. */
export function malformedForm(error: unknown, boundary: string): ServerError {
  const isCutOff = messageOf(error).startsWith('Unexpected end');
  return malformed(isCutOff ? `its last line, --${boundary}--, is missing` : messageOf(error));
}

function malformed(what: string): ServerError {
  return new ServerError('BAD_REQUEST', `The body is not valid multipart/form-data: ${what}.`);
}

/** A field of a form that is a file. */
export const fileField = z
  .custom<FormPart>(isObject, {
    error: 'a file',
    abort: true,
    params: { reason: 'invalid_type' },
  })
  .meta({ type: 'string', format: 'binary' });

/**
 * The fields of a form with the types that the schema of a body in JSON has: files as parts, numbers and the like read from their text. Of several parts of
 * one name the first counts, except for names that end in `[]` and fields that may be lists. An empty text counts as absent. Throws BAD_REQUEST on text that is not UTF-8.
 */
export function formValues(schema: z.ZodObject, parts: readonly FormPart[]): JsonObject {
  const shape = new Map(Object.entries<z.core.$ZodType>(schema.shape));
  const values = new Map<string, unknown>();
  for (const part of parts) {
    const { name } = part;
    const kind = kindOf(shape.get(name));
    // A union is a text or a list of them. Clients repeat its name as it is where they know no `[]`.
    const isList = name.endsWith('[]') || kind === 'union';
    if (values.has(name) && !isList) continue;
    const value = kind === 'custom' ? part : typedText(kind, partText(part));
    if (value === '') continue;
    const before = values.get(name) as unknown[] | undefined;
    values.set(name, isList ? [...(before ?? []), value] : value);
  }
  return Object.fromEntries(values);
}

/** The type of a field's schema; undefined for a field it does not have. */
function kindOf(schema: z.core.$ZodType | undefined): string | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return kindOf(schema.unwrap());
  return schema?._zod.def.type;
}

/** The value in the text, if the field is not one of texts. */
function typedText(kind: string | undefined, value: string): unknown {
  const trimmed = value.trim();
  if (kind === 'number') return trimmed === '' || Number.isNaN(Number(trimmed)) ? value : Number(trimmed);
  if (kind !== 'boolean' && kind !== 'unknown') return value;
  // Python's clients write flags as Python does.
  const flag = trimmed.toLowerCase();
  return flag === 'true' || flag === 'false' ? flag === 'true' : value;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** The text of a part. Throws BAD_REQUEST when it is not UTF-8. */
export function partText({ name, bytes }: FormPart): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ServerError('BAD_REQUEST', `Field '${name.slice(0, 80)}' is not UTF-8.`, { param: name.slice(0, 80) });
  }
}
