import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

const at = (file: string): URL => new URL(`../../../${file}`, import.meta.url);
const read = (file: string): string => readFileSync(at(file), 'utf8');

interface Package {
  readonly version: string;
  readonly license?: string;
  readonly scripts?: Record<string, string>;
  readonly dependencies?: Record<string, string>;
}
const readPackage = (file: string): Package => JSON.parse(read(file)) as Package;
const own = readPackage('package.json');

describe('docs/dependencies.md', () => {
  /** name -> [version, licence, reason] of the first table. */
  const rows = new Map(
    [...read('docs/dependencies.md').matchAll(/^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)].map(
      ([, name = '', ...cells]): [string, string[]] => [name, cells.map((cell) => cell.trim())],
    ),
  );

  test('has a line for each runtime dependency and for nothing else', () => {
    assert.deepEqual([...rows.keys()].sort(), Object.keys(own.dependencies ?? {}).sort());
  });

  test('gives each its pinned version, its licence and a reason', () => {
    for (const [name, [version, licence, reason = '']] of rows) {
      assert.equal(version, own.dependencies?.[name], name);
      assert.equal(licence, readPackage(`node_modules/${name}/package.json`).license, name);
      assert.ok(reason.length > 20, name);
    }
  });
});

describe('CONTRIBUTING.md', () => {
  const text = read('CONTRIBUTING.md');

  test('names only npm scripts that exist', () => {
    const named = [...text.matchAll(/npm (?:run ([\w:-]+)|(test|start)\b)/g)].map(
      (match) => match[1] ?? match[2] ?? '',
    );
    assert.ok(named.length > 0);
    assert.deepEqual(
      named.filter((script) => !Object.hasOwn(own.scripts ?? {}, script)),
      [],
    );
  });

  test('links only to files that exist', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1] ?? '');
    assert.ok(links.length > 0);
    assert.deepEqual(
      links.filter((link) => !existsSync(at(link))),
      [],
    );
  });
});

describe('LICENSE and CHANGELOG.md', () => {
  test('say the licence of package.json', () => {
    assert.equal(own.license, 'MIT');
    assert.match(read('LICENSE'), /^MIT License\n\nCopyright \(c\) \d{4} The Carpool authors\n/);
  });

  test('begin with what is not released yet', () => {
    const headings = [...read('CHANGELOG.md').matchAll(/^## \[([^\]]+)\]/gm)].map((match) => match[1]);
    assert.equal(headings[0], 'Unreleased');
  });
});
