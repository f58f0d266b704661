import { ServerError } from '../../errors.ts';

/** One part of a form. */
export interface FormPart {
  readonly name: string;
  readonly filename: string | undefined;
  /** Lower case, without parameters. */
  readonly contentType: string | undefined;
  /** A view of the body. */
  readonly bytes: Uint8Array;
}

const MOST_PARTS = 64;
const MOST_HEADER_BYTES = 8192;

/**
 * The parts of a `multipart/form-data` body, in order (RFC 7578, RFC 2046 5.1.1). Throws UNSUPPORTED_MEDIA_TYPE for another content
 * type, BAD_REQUEST for a body that is cut off or is none.
 */
export function parseMultipart(body: Uint8Array, contentType: string | undefined): FormPart[] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const delimiter = `\r\n--${readBoundary(contentType)}`;
  // The first delimiter may stand at the very start, without a line before it.
  const first = bytes.indexOf(delimiter.slice(2));
  if (first !== 0 && bytes.indexOf(delimiter) !== first - 2) throw malformed('it has no boundary');
  const parts: FormPart[] = [];
  let at = first + delimiter.length - 2;
  for (;;) {
    const line = bytes.indexOf('\r\n', at);
    if (bytes.toString('latin1', at, at + 2) === '--') return parts;
    // Blanks may follow a boundary, nothing else.
    if (line < 0 || !/^[ \t]*$/.test(bytes.toString('latin1', at, Math.min(line, at + MOST_HEADER_BYTES))))
      throw malformed('a boundary is not followed by a line');
    const end = bytes.indexOf(delimiter, line);
    if (end < 0) throw malformed('it is cut off');
    if (parts.length >= MOST_PARTS) throw malformed(`it has more than ${MOST_PARTS} parts`);
    parts.push(readPart(bytes.subarray(line + 2, Math.max(line + 2, end))));
    at = end + delimiter.length;
  }
}

function readBoundary(contentType = ''): string {
  if (!/^multipart\/form-data\s*(;|$)/i.test(contentType))
    throw new ServerError('UNSUPPORTED_MEDIA_TYPE', 'This address takes multipart/form-data.');
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined) throw malformed('its content type names no boundary');
  return boundary;
}

function readPart(part: Buffer): FormPart {
  const isBare = part.subarray(0, 2).equals(Buffer.from('\r\n'));
  const headerEnd = isBare ? 0 : part.subarray(0, MOST_HEADER_BYTES).indexOf('\r\n\r\n');
  if (headerEnd < 0) throw malformed('a part has no end of its headers');
  const headers = new Map<string, string>();
  for (const line of part.toString('utf8', 0, headerEnd).split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  const disposition = headers.get('content-disposition') ?? '';
  const name = parameter(disposition, 'name');
  if (name === undefined) throw malformed('a part has no name');
  return {
    name,
    filename: parameter(disposition, 'filename'),
    contentType: headers.get('content-type')?.split(';')[0]?.trim().toLowerCase(),
    bytes: part.subarray(headerEnd + (isBare ? 2 : 4)),
  };
}

/** A parameter of Content-Disposition; quoted or not. */
function parameter(disposition: string, name: string): string | undefined {
  const [, quoted, plain] =
    new RegExp(`;\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s;"]+))`, 'i').exec(disposition) ?? [];
  return quoted === undefined ? plain : quoted.replace(/\\(.)/g, '$1');
}

function malformed(what: string): ServerError {
  return new ServerError('BAD_REQUEST', `The body is not valid multipart/form-data: ${what}.`);
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
