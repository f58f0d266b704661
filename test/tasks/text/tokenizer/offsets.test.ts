import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { isObject, type JsonObject } from '../../../../src/json.ts';
import { createTokenizer } from '../../../../src/tasks/text/tokenizer.ts';

/**
 * Where tokens are in a text, as Hugging Face's `tokenizers` says. tools/tokenizer-reference/offsets.py makes the file; OFFSETS names another one.
 */

interface Reference {
  readonly texts: readonly string[];
  readonly shared: readonly unknown[];
  readonly tokenizers: readonly { readonly name: string; readonly definition: JsonObject }[];
}

/** By tokenizer and index of the text: starts, ends (code points) and words, one after the other. */
type Places = Readonly<Record<string, Readonly<Record<string, readonly number[] | null>>>>;

function read(name: string): unknown {
  const file = fileURLToPath(new URL(`../../../../../test/tasks/text/tokenizer/${name}`, import.meta.url));
  return JSON.parse(gunzipSync(readFileSync(process.env[name.split('.')[0]?.toUpperCase() ?? ''] ?? file)).toString());
}

const { texts, shared, tokenizers } = read('reference.json.gz') as Reference;
const { places } = read('offsets.json.gz') as { places: Places };

function filled(value: unknown): unknown {
  if (typeof value === 'string' && value.startsWith('$shared ')) return shared[Number(value.slice(8))];
  if (Array.isArray(value)) return value.map(filled);
  return isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, filled(one)])) : value;
}

/** The number of code points before each UTF-16 unit. */
function codePoints(text: string): number[] {
  const before: number[] = [];
  let count = 0;
  for (const character of text) {
    for (let unit = 0; unit < character.length; unit += 1) before.push(count);
    count += 1;
  }
  return [...before, count];
}

for (const { name, definition } of tokenizers.filter((one) => Object.hasOwn(places, one.name))) {
  const tokenizer = createTokenizer(filled(definition) as JsonObject);
  test(`tokens are where the reference has them: ${name}`, () => {
    const wrong: string[] = [];
    for (const [index, want] of Object.entries(places[name] ?? {})) {
      const text = texts[Number(index)] ?? '';
      if (want === null) continue;
      const { ids, starts, ends, words } = tokenizer.align(text);
      assert.deepEqual(ids, tokenizer.encode(text, { addSpecialTokens: false }));
      const points = codePoints(text);
      const at = (unit: number): number => points[unit] ?? -1;
      const got = [...starts.map(at), ...ends.map(at), ...words];
      if (JSON.stringify(got) !== JSON.stringify(want))
        wrong.push(`${JSON.stringify(text)}\n${got.join()}\n${want.join()}`);
    }
    assert.equal(wrong.length, 0, `${wrong.length} differ: ${wrong.slice(0, 3).join('\n')}`);
  });
}
