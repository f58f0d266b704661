import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import {
  choice,
  feature,
  flag,
  harmless,
  issue,
  list,
  nested,
  number,
  object,
  readFields,
  text,
  unknownFields,
} from '../../../src/dialects/shared/body-schema.ts';
import { texts, textInputs } from '../../../src/dialects/shared/text-inputs.ts';
import { ServerError } from '../../../src/errors.ts';

const receivers = z.array(nested({ to: text })).max(1, 'expected at most 1');
const odd = z.unknown().check(({ value, issues }) => {
  issues.push(issue(value, 'is odd', { reason: 'unsupported_parameter' }));
});
const schema = z.object({
  name: text,
  size: number({ min: 1, max: 3, integer: true }).default(2),
  kind: choice(['a', 'b']).optional(),
  quick: flag.optional(),
  more: object.optional(),
  input: textInputs.optional(),
  texts: texts.optional(),
  inner: nested({ names: texts, quick: flag.optional() }).optional(),
  either: z.union([z.string(), receivers], 'a string or a list').optional(),
  tools: feature([]),
  odd: odd.optional(),
  ...harmless(['user']),
});
const read = (fields: object, code?: 'INVALID_INPUT') => readFields(schema, { name: 'n', ...fields }, code);

test('fields are read with their defaults; null is absent, also within an object', () => {
  assert.deepEqual(read({ kind: null, user: {}, tools: [], colour: 1, inner: { names: ['x'], quick: null } }), {
    name: 'n',
    size: 2,
    user: {},
    tools: [],
    inner: { names: ['x'] },
  });
});

/** Fields that are wrong: the parameter, the reason and the message of the error. */
const cases: [object, string, string, RegExp][] = [
  [{ name: null }, 'name', 'missing_required_parameter', /^Missing required parameter: 'name'\.$/],
  [{ name: 1 }, 'name', 'invalid_type', /^Invalid type for 'name': expected a string\.$/],
  [{ quick: 'yes' }, 'quick', 'invalid_type', /expected true or false\.$/],
  [{ more: [] }, 'more', 'invalid_type', /expected an object\.$/],
  [{ size: 'x' }, 'size', 'invalid_type', /expected a whole number\.$/],
  [{ size: 4 }, 'size', 'invalid_value', /^Invalid value for 'size': expected a whole number from 1 to 3, got 4\.$/],
  [{ size: 1.5 }, 'size', 'invalid_value', /got 1\.5\.$/],
  [{ kind: 'c' }, 'kind', 'invalid_value', /^Invalid value for 'kind': expected one of a, b\.$/],
  [{ tools: [1] }, 'tools', 'unsupported_parameter', /^'tools' is not supported by this server\.$/],
  [{ odd: 1 }, 'odd', 'unsupported_parameter', /^'odd' is odd\.$/],
  [{ input: 5 }, 'input', 'invalid_type', /expected a string or an array\.$/],
  [{ input: ['a', {}] }, 'input[1]', 'invalid_type', /expected a string or an array of token ids\.$/],
  [{ input: [] }, 'input', 'empty_input', /^`input` cannot be empty$/],
  [{ texts: ['a', 1] }, 'texts[1]', 'invalid_type', /expected a string\.$/],
  [{ inner: {} }, 'inner.names', 'missing_required_parameter', /'inner\.names'/],
  [{ inner: 1 }, 'inner', 'invalid_type', /expected an object\.$/],
  [{ either: 1 }, 'either', 'invalid_type', /expected a string or a list\.$/],
  [{ either: [{ to: 1 }] }, 'either[0].to', 'invalid_type', /expected a string\.$/],
  [{ either: [{ to: 'a' }, { to: 'b' }] }, 'either', 'invalid_value', /expected at most 1\.$/],
];
for (const [fields, param, reason, message] of cases)
  test(`an error about ${JSON.stringify(fields)} names ${param}`, () => {
    assert.throws(
      () => read(fields, 'INVALID_INPUT'),
      (error) => {
        assert.ok(error instanceof ServerError);
        assert.deepEqual([error.param, error.reason], [param, reason]);
        assert.match(error.message, message);
        assert.equal(error.code, reason === 'empty_input' ? 'BAD_REQUEST' : 'INVALID_INPUT');
        return true;
      },
    );
  });

test('unknown fields are listed, but for those that are null and those that are probably misspelt', () => {
  assert.deepEqual(unknownFields(schema, { name: 1, colour: 1, constructor: 2, none: null }), [
    'colour',
    'constructor',
  ]);
  const slip = /Unrecognized request argument supplied: Size\. Did you mean 'size'\?/;
  assert.throws(() => unknownFields(schema, { Size: 1 }), slip);
});

test('a list is read up to its first wrong element, which is named', () => {
  let looks = 0;
  const element = z.unknown().check(({ value, issues }) => {
    looks += 1;
    if (typeof value !== 'number') issues.push(issue(value, 'a number', { reason: 'invalid_type', path: ['size'] }));
  });
  const schema = z.object({ sizes: list(element, 'an array of sizes') });
  assert.deepEqual(readFields(schema, { sizes: [1, 2] }).sizes, [1, 2]);
  looks = 0;
  assert.throws(
    () => readFields(schema, { sizes: [1, { size: 'x' }, {}, {}] }),
    /Invalid type for 'sizes\[1\]\.size': expected a number\./,
  );
  assert.equal(looks, 2);
  assert.throws(() => readFields(schema, { sizes: 'x' }), /Invalid type for 'sizes': expected an array of sizes\./);
});

test('of many unknown fields the first hundred are looked at', () => {
  const schema = z.object({ temperature: number().optional() });
  const names = Array.from({ length: 300 }, (_, index) => `field_${index}`);
  const values = Object.fromEntries([...names, 'temperatur'].map((name) => [name, 1]));
  assert.deepEqual(unknownFields(schema, values), names.slice(0, 100));
});
