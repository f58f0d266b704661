import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeInfer } from '../../src/dialects/oip/request.ts';
import { ServerError } from '../../src/errors.ts';
import { binaryBody, bytesOf, modelOf, simpleModel, spec, type TestModel } from '../dialects/oip/fixtures.ts';
import { fuzzBudgetMs } from './budget.ts';

const mixedModel = modelOf(
  [
    spec('ids', 'INT64', [-1, -1]),
    spec('text', 'BYTES', [-1, 1]),
    spec('x', 'FP32', [-1, 2]),
    spec('flag', 'BOOL', [1], null),
  ],
  [spec('y', 'FP32', [-1, 2]), spec('z', 'BYTES', [-1])],
);
const models: readonly TestModel[] = [
  mixedModel,
  simpleModel('FP32'),
  simpleModel('UINT64'),
  modelOf([spec('text', 'BYTES', [-1, 1])], [spec('y', 'FP32', [-1])]),
];

const seeds: readonly (readonly [Uint8Array, number])[] = [
  binaryBody(
    {
      id: '1',
      parameters: { priority: 1, timeout: 1000, binary_data_output: true, sequence_id: 0 },
      inputs: [
        { name: 'ids', shape: [1, 2], datatype: 'INT64', data: [[5, -7]] },
        { name: 'text', shape: [1, 1], datatype: 'BYTES', parameters: { binary_data_size: 6 } },
        { name: 'x', shape: [1, 2], datatype: 'FP16', parameters: { binary_data_size: 4 } },
        { name: 'flag', shape: [1], datatype: 'BOOL', parameters: { binary_data_size: 1 } },
      ],
      outputs: [{ name: 'y', parameters: { binary_data: true, classification: 2 } }, { name: 'z' }],
    },
    new Uint8Array([2, 0, 0, 0, 0xc3, 0xa9]),
    bytesOf(new Uint16Array([0x3c00, 0x7c00])),
    new Uint8Array([1]),
  ),
  binaryBody(
    '{"inputs":[{"name":"x","shape":[2,3],"datatype":"UINT64","data":[[1,2,18446744073709551615],[9007199254740993,1e3,5]]}]}',
  ),
  binaryBody({ inputs: [{ name: 'x', shape: [1, 3], datatype: 'FP32', data: [0.5, null, -1e-30] }] }),
];

const tokens = [
  '[',
  ']',
  '{',
  '}',
  ',',
  ':',
  '"',
  '\\',
  '\\u0000',
  '\\ud800',
  'null',
  'true',
  '0',
  '-0',
  '-1',
  '1e999',
  '0.5',
  '18446744073709551616',
  '9007199254740993',
  '-9223372036854775809',
  '"__proto__"',
  '"BYTES"',
  '"FP16"',
  '"data"',
  '"shape"',
  '"parameters"',
  '"binary_data_size"',
  '"shared_memory_region"',
  '[[[[[[',
  ' ',
  '\u00e9',
];

/** One change to a body: overwrite, cut, or put something in. */
const mutation = fc.oneof(
  fc.record({ at: fc.nat(), cut: fc.nat(3), put: fc.uint8Array({ maxLength: 4 }) }),
  fc.record({
    at: fc.nat(),
    cut: fc.nat(24),
    put: fc.constantFrom(...tokens).map((token) => new TextEncoder().encode(token)),
  }),
);

const attempt = fc.record({
  seed: fc.constantFrom(...seeds),
  model: fc.constantFrom(...models),
  mutations: fc.array(mutation, { maxLength: 6 }),
  header: fc.constantFrom('kept', 'absent', 'zero', 'all', 'shifted'),
});

function mutate(body: Uint8Array, { at, cut, put }: { at: number; cut: number; put: Uint8Array }): Uint8Array {
  const start = at % (body.byteLength + 1);
  return new Uint8Array(Buffer.concat([body.subarray(0, start), put, body.subarray(start + cut)]));
}

test('whatever the body, decoding gives a request or an error of the client', () => {
  let decoded = 0;
  let refused = 0;
  fc.assert(
    fc.property(attempt, ({ seed: [original, headerLength], model, mutations, header }) => {
      const body = mutations.reduce(mutate, original);
      const headers = {
        kept: headerLength,
        absent: undefined,
        zero: 0,
        all: body.byteLength,
        shifted: headerLength + body.byteLength - original.byteLength,
      };
      try {
        const request = decodeInfer(body, headers[header], model);
        assert.equal(request.inputs.length, model.signature.inputs.length);
        assert.ok(request.rows >= 1);
        decoded += 1;
      } catch (error) {
        assert.ok(error instanceof ServerError, `not a ServerError: ${String(error)}`);
        assert.ok(error.status >= 400 && error.status < 500, error.code);
        refused += 1;
      }
    }),
    { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: fuzzBudgetMs(), markInterruptAsFailure: false },
  );
  assert.ok(decoded > 0, 'some bodies stay valid, so that the paths behind the checks are reached');
  assert.ok(refused > 0);
});
