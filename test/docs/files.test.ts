import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocksOf } from './blocks.ts';
import { PAGES, readDocument } from './documents.ts';

test('a reader is told the name of each file that a page shows: comments are not seen', () => {
  const nameless = PAGES.flatMap((page) => {
    const text = readDocument(page);
    const lines = text.split('\n');
    return blocksOf(page, text).flatMap(({ line, notes }) => {
      const name = notes.get('file');
      return name === undefined || wordsAbove(lines, line - 1).includes(`\`${name}\``)
        ? []
        : [`${page}:${line}: ${name}`];
    });
  });
  assert.deepEqual(nameless, []);
});

/** The text between a fence and the block or the heading before it, without comments. */
function wordsAbove(lines: readonly string[], fence: number): string {
  const start = lines.findLastIndex((line, at) => at < fence && /^ *(```|#+ )/.test(line));
  return lines
    .slice(start + 1, fence)
    .filter((line) => !line.trimStart().startsWith('<!--'))
    .join('\n');
}
