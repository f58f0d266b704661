/** A line of a file of jobs. */
export interface Line {
  /** Without its end; empty if the line is too long. */
  readonly bytes: Uint8Array;
  /** Counts from 1. */
  readonly number: number;
  /** Where the next line begins in the file. */
  readonly endByte: number;
  readonly isTooLong: boolean;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;

export interface LineOptions {
  /** Where the pieces begin in the file. */
  readonly startByte: number;
  /** The number of the first line. */
  readonly startLine: number;
  /** Longest line. */
  readonly limitBytes: number;
}

/**
 * The lines of a file that comes in pieces, those of each piece together; lines of nothing but spaces are left out. At most `limitBytes` of a line
 * are held, beside one piece.
 */
export async function* readLines(
  pieces: AsyncIterable<Uint8Array>,
  { startByte, startLine, limitBytes }: LineOptions,
): AsyncGenerator<readonly Line[]> {
  let begun: Uint8Array[] = [];
  let begunBytes = 0;
  let at = startByte;
  let number = startLine - 1;
  const take = (last: Uint8Array): Line | undefined => {
    number += 1;
    const isTooLong = begunBytes + last.byteLength > limitBytes;
    const bytes = isTooLong ? new Uint8Array(0) : trimmed(begunBytes === 0 ? last : Buffer.concat([...begun, last]));
    begun = [];
    begunBytes = 0;
    return isTooLong || bytes.byteLength > 0 ? { bytes, number, endByte: at, isTooLong } : undefined;
  };
  for await (const piece of pieces) {
    const lines: Line[] = [];
    let start = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
      at += end + 1 - start;
      const line = take(piece.subarray(start, end));
      if (line !== undefined) lines.push(line);
      start = end + 1;
    }
    at += piece.byteLength - start;
    begunBytes += piece.byteLength - start;
    if (begunBytes > limitBytes) begun = [];
    else if (start < piece.byteLength) begun.push(piece.subarray(start));
    if (lines.length > 0) yield lines;
  }
  const line = take(new Uint8Array(0));
  if (line !== undefined) yield [line];
}

/** Without the spaces at both ends, and a byte order mark. */
function trimmed(bytes: Uint8Array): Uint8Array {
  let start = 0;
  let end = bytes.byteLength;
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) start = 3;
  while (start < end && isSpace(bytes[start])) start += 1;
  while (end > start && isSpace(bytes[end - 1])) end -= 1;
  return bytes.subarray(start, end);
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === RETURN;
}
