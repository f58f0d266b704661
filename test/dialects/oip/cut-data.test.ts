import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byCutting } from '../../../src/dialects/oip/cut-data.ts';
import { decodeInfer } from '../../../src/dialects/oip/request.ts';
import { ServerError } from '../../../src/errors.ts';
import type { Datatype } from '../../../src/tensors/tensor.ts';
import { modelOf, spec, type TestModel } from './fixtures.ts';

/** Numbers of shorter bodies are not cut out. */
const PADDING = ' '.repeat(1024);

/** What decoding comes to: the request, or the code of its refusal. */
function outcome(text: string, model: TestModel): unknown {
  try {
    return decodeInfer(Buffer.from(text + PADDING, 'latin1'), undefined, model);
  } catch (error) {
    assert.ok(error instanceof ServerError, String(error));
    return error.code;
  }
}

/** The same request with a field that is ignored, and whose name has a backslash, so that it is parsed as a whole. */
function parsedWhole(text: string): string {
  return text.replace('{', '{"\\u0078":0,');
}

/** True if the numbers were cut out and read by themselves. */
function isCut(text: string): boolean {
  return (
    byCutting(Buffer.from(text + PADDING), (_, data) =>
      data.read({ name: 'x', datatype: 'FP32', shape: [2], data: 0, position: 0 }),
    ) !== undefined
  );
}

const model = modelOf(
  [spec('x', 'FP32', [-1, 3]), spec('ids', 'INT64', [-1, 2]), spec('t', 'BYTES', [-1]), spec('f', 'BOOL', [-1])],
  [spec('y', 'FP32', [-1, 3])],
);
const only = (datatype: Datatype): TestModel => modelOf([spec('x', datatype, [-1, 2])], [spec('y', 'FP32', [-1, 2])]);

const good: readonly [body: string, model: TestModel][] = [
  ['{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1.5,-2e-3,0.1,4]}]}', only('FP32')],
  [
    '{"id":"7","inputs":[{"data":[[1,2],[3,4]],"name":"x","shape":[2,2],"datatype":"FP32"}],"outputs":[{"name":"y"}]}',
    only('FP32'),
  ],
  [
    '{ "inputs" : [ { "name" : "x" , "shape" : [ 1 , 2 ] , "datatype" : "INT64" , "data" : [ 9007199254740993 , -1 ] } ] }',
    only('INT64'),
  ],
  [
    '{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,2,3]},{"name":"ids","shape":[1,2],"datatype":"INT64","data":[[1,2]]},' +
      '{"name":"t","shape":[1],"datatype":"BYTES","data":["a]"]},{"name":"f","shape":[1],"datatype":"BOOL","data":[true]}]}',
    model,
  ],
  ['{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"data":[1,2]},"data":[1,2]}]}', only('FP32')],
  ['{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[9,9],"data":[1,2]}],"data":["x"]}', only('FP32')],
];

/** Bytes that make a difference in JSON. */
const bytes = '{}[]",:0123456789.eE+-\\ truefalsn\n\u00e9\u0000'.split(/(?:)/);
const change = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  drop: fc.integer({ min: 0, max: 3 }),
  put: fc.oneof(
    fc.array(fc.constantFrom(...bytes), { maxLength: 3 }).map((all) => all.join('')),
    fc.constantFrom(
      '"data"',
      '"data":',
      '"data":[',
      '"data":0,',
      '[[',
      ']]',
      '],[',
      '1e400',
      '1e39',
      'null',
      '"x":{"data":[1]},',
      '\\u0061',
    ),
  ),
});

test('a body with good or damaged JSON is taken or refused alike, with the same values, whether its numbers are cut out or not', () => {
  const seen = { taken: 0, refused: 0 };
  fc.assert(
    fc.property(fc.constantFrom(...good), fc.array(change, { maxLength: 3 }), ([body, one], changes) => {
      let text = body;
      for (const { at, drop, put } of changes) {
        const place = 1 + Math.floor(at * (text.length - 1));
        text = text.slice(0, place) + put + text.slice(place + drop);
      }
      const result = outcome(text, one);
      assert.deepEqual(result, outcome(parsedWhole(text), one), text);
      seen[typeof result === 'string' ? 'refused' : 'taken'] += 1;
    }),
    { numRuns: 8000 },
  );
  assert.ok(seen.taken > 100 && seen.refused > 100, JSON.stringify(seen));
});

test('numbers are cut out of plain bodies, in whatever place the data stands', () => {
  const cases = [
    '{"inputs":[{"data":[1,2]}]}',
    '{"data" :\n [ 1 , 2 ]}',
    '{"a":{"b":1},"data":[[1],[2]]}',
    '{"data":[1,2],"z":[[3]]}',
  ];
  for (const text of cases.slice(0, 2)) assert.ok(isCut(text), text);
  assert.equal(isCut(cases[2] ?? ''), false);
  assert.ok(isCut(cases[3] ?? ''));
});

test('what may be something else is parsed as a whole', () => {
  const others = [
    '{"data":0}',
    '{"data":[1,2],"\\u0064ata":0}',
    '{"data":[1,2],"é":0}',
    '{"data":[1,2],"x":{"data":7}}',
    '{"data":["1","2"]}',
    '{"data":[1,2],"x":{"data":[1]}}',
    '{"data":[1,2]',
    '{"data":[1,2',
    '{"x":"data":[1,2]}',
    '["data",[1,2]]',
    '{"data":[1,2]]}',
    '',
  ];
  for (const text of others) assert.equal(isCut(text), false, text);
});
