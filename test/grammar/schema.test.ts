import assert from 'node:assert/strict';
import test from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { GrammarError } from '../../src/grammar/grammar-error.ts';
import { REFUSED, SCHEMAS } from './schemas.ts';
import { allows, answersOf, compile, schemaSpec } from './support.ts';

const ajv = new Ajv2020({ strict: false });
addFormats.default(ajv);

for (const [about, schema] of Object.entries(SCHEMAS))
  test(`every answer fits its schema, and so does the shortest: ${about}`, () => {
    const fits = ajv.compile(schema as object);
    for (const text of answersOf(schemaSpec(schema), { count: 40 })) {
      assert.ok(fits(JSON.parse(text)), `${text}: ${ajv.errorsText(fits.errors)}`);
    }
  });

test('any JSON object is an answer to json', () => {
  for (const text of answersOf({ kind: 'json' }, { count: 40 })) {
    const value: unknown = JSON.parse(text);
    assert.ok(typeof value === 'object' && value !== null && !Array.isArray(value), text);
  }
  for (const text of ['{}', '{"a": [1, 2.5e3, {"b": "\\u00e9\\ud83d\\ude00"}]}', '{\n  "a": null\n}'])
    assert.ok(allows({ kind: 'json' }, text), text);
  for (const text of ['[]', '1', '{"a":1,}', '{} ', '{"a":"\\ud83d"}', '{"a":"\n"}', '{  }', '{"a":01}'])
    assert.ok(!allows({ kind: 'json' }, text), text);
});

test('a schema allows what it should, in the order of its properties', () => {
  const spec = schemaSpec(SCHEMAS['strict']);
  for (const text of ['{"name": "é", "age": 7}', '{"name":"\\n","age":120}']) assert.ok(allows(spec, text), text);
  for (const text of [
    '{"age": 7, "name": "a"}',
    '{"name":"a"}',
    '{"name":"a","age":121}',
    '{"name":"a","age":7,"b":1}',
  ])
    assert.ok(!allows(spec, text), text);
  const open = schemaSpec(SCHEMAS['further properties']);
  assert.ok(allows(open, '{"a":"x","b":true,"abc":false}'));
  // No declared name comes again, in whatever spelling.
  for (const text of ['{"ab":1,"ab":true}', '{"c":true,"a":true}', '{"c":true,"\\u0061":true}'])
    assert.ok(!allows(open, text), text);
});

test('lengths count characters', () => {
  const spec = schemaSpec({ type: 'string', minLength: 2, maxLength: 2 });
  for (const text of ['"😀é"', '"\\ud83d\\ude00\\n"']) assert.ok(allows(spec, text), text);
  for (const text of ['"😀"', '"abc"']) assert.ok(!allows(spec, text), text);
});

test('what cannot be held to is refused by name', () => {
  for (const [schema, message] of REFUSED)
    assert.throws(
      () => compile(schemaSpec(schema)),
      (error) => error instanceof GrammarError && message.test(error.message),
      JSON.stringify(schema),
    );
});

test('schemas that are too large, too deep or no JSON are refused', () => {
  const refused = (schema: string, message: RegExp): void =>
    assert.throws(
      () => compile({ kind: 'schema', schema }),
      (error) => error instanceof GrammarError && message.test(error.message),
    );
  refused('{', /not valid JSON/);
  refused('{"const":' + '['.repeat(100) + ']'.repeat(100) + '}', /more than 64 deep/);
  refused(JSON.stringify({ const: 'a'.repeat(300_000) }), /262144 characters/);
  // Doubles with each reference.
  const $defs = Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [
      `d${index}`,
      { allOf: [{ $ref: `#/$defs/d${index + 1}` }, { $ref: `#/$defs/d${index + 1}` }] },
    ]),
  );
  refused(JSON.stringify({ $ref: '#/$defs/d0', $defs: { ...$defs, d40: { type: 'null' } } }), /too many schemas/);
});
