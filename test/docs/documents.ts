import { readdirSync, readFileSync } from 'node:fs';

/** A file of the repository; the compiled tests lie three levels below its root: <out>/test/docs. */
export function fileUrl(path: string): URL {
  return new URL(`../../../${path}`, import.meta.url);
}

export function readDocument(path: string): string {
  return readFileSync(fileUrl(path), 'utf8');
}

/** The pages for those who use the server, by their paths. */
export const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(fileUrl('docs'), { recursive: true })
    .map((name) => `docs/${String(name)}`)
    .filter((name) => name.endsWith('.md')),
  ...['deploy/README.md', 'bench/README.md', 'load-tests/README.md'],
];

/** The rows of the table with this first line, without its rule; cells trimmed. Throws an Error when there is no such table. */
export function tableRows(text: string, heading: string): string[][] {
  const lines = text.split('\n');
  const at = lines.indexOf(heading);
  if (at < 0) throw new Error(`there is no table ${heading}`);
  const end = lines.findIndex((line, index) => index > at && !line.startsWith('|'));
  return lines.slice(at + 2, end < 0 ? undefined : end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** `name` of a cell that holds it as code. */
export function code(cell: string | undefined): string {
  return /^`([^`]+)`$/.exec(cell ?? '')?.[1] ?? '';
}
