import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { blocksOf, rolesOf } from './blocks.ts';
import { Consumer } from './consumer.ts';
import { PAGES, readDocument } from './documents.ts';

/** Blocks of TypeScript, and files in JavaScript that import the package, against its declarations, as a project that has installed it sees them. */

const consumer = new Consumer();
after(() => consumer.remove());

const blocks = PAGES.flatMap((name) => {
  const all = blocksOf(name, readDocument(name));
  const roles = rolesOf(all);
  return all.filter(
    ({ language, text }, index) =>
      language === 'ts' || (language === 'js' && roles[index] === 'file' && /from 'carpool/.test(text)),
  );
});

const WRONG = new Map([
  ['wrong.ts', `import { CarpoolClient } from 'carpool/client';\nnew CarpoolClient({ baseUrl: 8000 });\n`],
  ['wrong.js', `import { createCarpool } from 'carpool';\nawait createCarpool({ NO_OPTION: 1 });\n`],
]);

test('every block of TypeScript is well typed for those who have installed the package, and a wrong one is found out', () => {
  assert.ok(blocks.filter(({ language }) => language === 'ts').length >= 6);
  const shown = blocks.map(({ page, line, language, text }) => [
    `${page.replaceAll('/', '-')}-${line}.${language}`,
    text,
  ]);
  const problems = consumer.problemsOf(new Map([...(shown as [string, string][]), ...WRONG]));
  const found = problems.filter((problem) => [...WRONG.keys()].some((name) => problem.startsWith(`${name}:2: `)));
  assert.deepEqual(
    problems.filter((problem) => !found.includes(problem)),
    [],
  );
  assert.match(found.join('\n'), /'number' is not assignable to type 'string.*\n.*'NO_OPTION' does not exist/s);
});
