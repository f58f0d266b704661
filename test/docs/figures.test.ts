import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { fileUrl, PAGES, readDocument } from './documents.ts';

/** Tables of figures say what measured them: a command (or what was done), a day and the commit that ran. */

interface Table {
  readonly place: string;
  readonly rows: readonly (readonly string[])[];
  /** The paragraph above it and the one below. */
  readonly beside: readonly string[];
}

/** Headings of tables whose numbers are set, not measured. */
const OTHER = /\b(default|option|status|phase)\b/;

/** All tables of a page that hold more numbers than anything else. */
function figuresOf(page: string): Table[] {
  const blocks = readDocument(page).split(/\n{2,}/);
  return blocks.flatMap((block, index) => {
    const lines = block.split('\n');
    const at = lines.findIndex((line) => /^\|[-:| ]+\|$/.test(line));
    if (at < 1 || OTHER.test(lines[at - 1] ?? '')) return [];
    const rows = lines
      .slice(at + 1)
      .filter((line) => line.startsWith('|'))
      .map((line) =>
        line
          .split('|')
          .slice(2, -1)
          .map((cell) => cell.trim()),
      );
    const cells = rows.flat().filter((cell) => cell !== '');
    const figures = cells.filter((cell) => /^[~<>]?\d[\d,.]*(?![\w`])/.test(cell));
    if (rows.length < 2 || figures.length * 2 < cells.length) return [];
    return [
      {
        place: `${page}: ${lines[at - 1]?.slice(0, 80)}`,
        rows,
        beside: [blocks[index - 1] ?? '', blocks[index + 1] ?? ''],
      },
    ];
  });
}

const MEASURED = /(?:Measured|Simulated) (.*?) on (\d{1,2} [A-Z][a-z]+ \d{4}), commit `([0-9a-f]{7,})`/s;

const tables = PAGES.flatMap(figuresOf);

function untold(table: Table): string | undefined {
  const told = table.beside.map((text) => MEASURED.exec(text)).find((match) => match !== null);
  if (told === undefined) return `${table.place}: no "Measured by ... on ..., commit ..."`;
  const [, by = ''] = told;
  return table.place.startsWith('bench/') && !/^by `(npm run|node) \S/.test(by)
    ? `${table.place}: no command`
    : undefined;
}

test('every table of figures says which command measured it, when, and at which commit', () => {
  assert.ok(tables.length >= 15, String(tables.length));
  assert.deepEqual(
    tables.map(untold).filter((problem) => problem !== undefined),
    [],
  );
});

test('a table of figures that does not say so is found out', () => {
  const table = { place: 'bench/README.md: | a |', rows: [['1'], ['2']] };
  const line = 'on 30 November 2026, commit `a4e72e4`.';
  assert.match(untold({ ...table, beside: ['Some figures:', 'Node 20.'] }) ?? '', /no "Measured by/);
  assert.match(untold({ ...table, beside: ['', `Measured by hand ${line}`] }) ?? '', /no command/);
  assert.match(untold({ ...table, beside: ['', 'Measured by `npm run bench` on 30 November 2026.'] }) ?? '', /commit/);
  assert.equal(untold({ ...table, beside: ['', `Measured by \`npm run bench\` ${line}`] }), undefined);
});

const git = (...args: string[]): number | null =>
  spawnSync('git', args, { cwd: fileURLToPath(fileUrl('.')), stdio: 'ignore' }).status;
const isWhole = git('rev-parse', '--verify', 'HEAD~20') === 0;

test(
  'the commits that were measured are commits of the project',
  { skip: isWhole ? false : 'not a clone, or a shallow one' },
  () => {
    const commits = new Set(
      PAGES.flatMap((page) => [...readDocument(page).matchAll(/commit `([0-9a-f]{7,})`/g)]).map(
        ([, hash = '']) => hash,
      ),
    );
    assert.ok(commits.size > 5);
    assert.deepEqual(
      [...commits].filter((hash) => git('merge-base', '--is-ancestor', hash, 'HEAD') !== 0),
      [],
    );
  },
);
