import type { Base64Of, Part, PickedFile, PlayRequest } from '../types.ts';
import { hasFiles, prettyJson } from './cut.ts';
import type { CodeSite } from './site.ts';

/** What code for Node is made of. */

export const STEP = '  ';
export const KEY = 'process.env.CARPOOL_API_KEY';

export function text(value: string): string {
  return JSON.stringify(value);
}

export function read({ name }: PickedFile): string {
  return `await readFile(${text(name)})`;
}

/** A value as it stands in code; lines after the first are indented by `indent`. */
export function literal(value: unknown, indent: string): string {
  return prettyJson(value, ({ file }: Base64Of) => `(${read(file)}).toString('base64')`).replaceAll(
    '\n',
    `\n${indent}`,
  );
}

/** A form, in the variable `form`. */
export function formLines(parts: readonly Part[]): string[] {
  return ['const form = new FormData();', ...parts.map(appended)];
}

function appended([name, value]: Part): string {
  return typeof value === 'string'
    ? `form.append(${text(name)}, ${text(value)});`
    : `form.append(${text(name)}, new Blob([${read(value)}]), ${text(value.name)});`;
}

/** Whether the code reads files. */
export function readsFiles(body: PlayRequest['body'], { bodyFile }: CodeSite): boolean {
  return body.kind !== 'json' || bodyFile !== undefined || hasFiles(body.value);
}
