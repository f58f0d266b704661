import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileUrl, PAGES, readDocument } from './documents.ts';

/** Relative links of a document: the file (from the root) and the heading in it, if any. */
function relativeLinks(document: string): { file: string; anchor: string | undefined }[] {
  const text = readDocument(document).replace(/^```.*?^```/gms, '');
  return [...text.matchAll(/\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].map(([, target = '', anchor]) => ({
    file: target === '' ? document : path.posix.join(path.posix.dirname(document), target),
    anchor,
  }));
}

/** Anchors that GitHub makes of a document's headings. */
function anchorsOf(document: string): string[] {
  const text = readDocument(document).replace(/^```.*?^```/gms, '');
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{Letter}\p{Number}_\- ]/gu, '')
      .replaceAll(' ', '-'),
  );
}

for (const document of PAGES)
  test(`${document} links only to files and headings that exist`, () => {
    const dead = relativeLinks(document).filter(
      ({ file, anchor }) =>
        !existsSync(fileUrl(file)) || (anchor !== undefined && !anchorsOf(file).includes(decodeURIComponent(anchor))),
    );
    assert.deepEqual(dead, []);
  });

test('the documents link to each other at all', () => {
  assert.ok(PAGES.includes('docs/api.md'));
  assert.ok(relativeLinks('docs/api.md').length > 5);
});

test('docs/README.md leads to every page', () => {
  const linked = new Set(relativeLinks('docs/README.md').map(({ file }) => file));
  assert.deepEqual(
    PAGES.filter((page) => page !== 'docs/README.md' && !linked.has(page)),
    [],
  );
});

test('docs/architecture.md names every room of src/, and every folder of programs, dialects and jobs', () => {
  const folders = (path: string): string[] =>
    readdirSync(fileUrl(path), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  const lines = readDocument('docs/architecture.md').split('\n');
  const lineOf = (room: string): string | undefined => lines.find((line) => line.startsWith(`src/${room}/ `));
  const missing = folders('src').filter((room) => lineOf(room) === undefined);
  for (const room of ['programs', 'dialects', 'jobs'])
    missing.push(...folders(`src/${room}`).filter((name) => lineOf(room)?.includes(`${name}/`) !== true));
  assert.deepEqual(missing, []);
});
