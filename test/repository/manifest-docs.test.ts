import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { manifestSchema } from '../../src/repository/manifest.ts';
import { ALLOWED_ENTRIES } from '../../src/repository/session-options.ts';

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly default?: unknown;
}

// The compiled test lies three levels below the root: <out>/test/repository.
const document = await readFile(path.join(import.meta.dirname, '../../../docs/models.md'), 'utf8');

/** Every field that the document describes, by its name there, and its default as JSON ('' for none). */
function fieldsOf(schema: JsonSchema, prefix = ''): [string, string][] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, field]): [string, string][] => {
    const name = `${prefix}${key}`;
    if (field.properties !== undefined) return fieldsOf(field, `${name}.`);
    const own: [string, string] = [name, field.default === undefined ? '' : JSON.stringify(field.default)];
    return [own, ...fieldsOf(field.items ?? {}, `${name}[].`)];
  });
}

test('docs/models.md has a row for each field of model.json, in the same order, with its default', () => {
  const rows = [...document.matchAll(/^\| `([\w.[\]]+)` \| [^|]+ \| (?:`([^|]+)`)? ?\| [^|]+ \|$/gm)];
  assert.deepEqual(
    rows.map(([, field, value]) => [field, value ?? '']),
    fieldsOf(z.toJSONSchema(manifestSchema, { io: 'input' }) as JsonSchema),
  );
});

test('the example of model.json in docs/models.md is valid', () => {
  const example = /## model\.json\s+(?:<!--[^>]*-->\s+)?```json\n([^`]+)```/.exec(document)?.[1] ?? '';
  const manifest = manifestSchema.parse(JSON.parse(example));
  assert.equal(manifest.task, 'text-classification');
});

test('docs/models.md lists the entries of ONNX Runtime that may be set', () => {
  const section = /## Session entries\n([\s\S]+?)\n## /.exec(document)?.[1] ?? '';
  const table = section.split('\n').filter((line) => line.startsWith('|'));
  const entries = [...table.join().matchAll(/`([^`]+)`/g)].map(([, entry]) => entry);
  assert.deepEqual(entries.toSorted(), [...ALLOWED_ENTRIES].toSorted());
});
