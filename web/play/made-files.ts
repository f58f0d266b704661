import type { Body, PickedFile } from './types.ts';
import { Base64Of } from './types.ts';

/** Files that the page has made (drawn, photographed, recorded, or fetched as an example): nobody has them on a disk, where code could read them. */

const made = new WeakSet<PickedFile>();

/** Notes that the page has made a file. Gives it another name where `others` have a file of the same one. */
export function madeFile(file: File, others: readonly PickedFile[]): File {
  const named = new File([file], freeName(file.name, others), { type: file.type });
  made.add(named);
  return named;
}

/** The name, or, where it is taken, one with a number: `recording-2.webm`. */
export function freeName(name: string, others: readonly PickedFile[]): string {
  const taken = new Set(others.map((other) => other.name));
  const dot = name.lastIndexOf('.');
  const [stem, ending] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
  let free = name;
  for (let count = 2; taken.has(free); count += 1) free = `${stem}-${count}${ending}`;
  return free;
}

/** The files of a request that the page has made. */
export function madeFilesOf(body: Body): readonly File[] {
  const files = body.kind === 'file' ? [body.file] : body.kind === 'form' ? body.parts.map(([, value]) => value) : [];
  const all = body.kind === 'json' ? filesWithin(body.value) : files;
  return [...new Set(all)].filter((one): one is File => one instanceof File && made.has(one));
}

function filesWithin(value: unknown): PickedFile[] {
  if (value instanceof Base64Of) return [value.file];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(filesWithin) : [];
}
