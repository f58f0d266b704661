import { showJson } from '../json-shape.ts';
import { Base64Of } from '../types.ts';

/** Longest JSON that stands on one line. */
const LINE = 72;

/** No JSON text holds it: `JSON.stringify` escapes the character. */
const MARK = '\u0000';

/** JSON of a value, on one line where it is short; `fileText` writes what stands for a file, quotes included. */
export function prettyJson(value: unknown, fileText: (file: Base64Of) => string): string {
  const files: Base64Of[] = [];
  const replace = (_: string, one: unknown): unknown => {
    if (!(one instanceof Base64Of)) return one;
    files.push(one);
    return `${MARK}${files.length - 1}${MARK}`;
  };
  const short = JSON.stringify(value, replace);
  const text = short.length <= LINE ? short : showJson(JSON.parse(short));
  return text.replaceAll(/"\\u0000(\d+)\\u0000"/g, (_, index: string) => {
    const file = files[Number(index)];
    return file === undefined ? '""' : fileText(file);
  });
}

/** JSON of a value, cut where the bytes of files belong: the quotes around these are at the ends of the texts. */
export function cutAtFiles(value: unknown): (string | Base64Of)[] {
  const files: Base64Of[] = [];
  const text = prettyJson(value, (file) => {
    files.push(file);
    return `"${MARK}"`;
  });
  return text.split(MARK).flatMap((piece, index) => {
    const file = files[index];
    return file === undefined ? [piece] : [piece, file];
  });
}

export function hasFiles(value: unknown): boolean {
  return cutAtFiles(value).length > 1;
}
