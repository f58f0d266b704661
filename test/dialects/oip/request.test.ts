import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeInfer } from '../../../src/dialects/oip/request.ts';
import type { OipOutputRequest } from '../../../src/dialects/oip/types.ts';
import type { ErrorCode } from '../../../src/errors.ts';
import { assertRefused, binaryBody, decodeJson, inputX, jsonBody, modelOf, simpleModel, spec } from './fixtures.ts';

const twoOutputs = modelOf([spec('x', 'FP32', [-1, 3])], [spec('y', 'FP32', [-1, 3]), spec('z', 'BYTES', [-1, 1])]);

function withParameters(parameters: unknown): object {
  return { ...inputX({}), parameters };
}

function outputsOf(request: object): readonly OipOutputRequest[] {
  return decodeJson({ ...inputX({}), ...request }, twoOutputs).outputs;
}

describe('an inference request', () => {
  it('is read in full', () => {
    const request = decodeJson({
      id: 'abc',
      parameters: { priority: 1, timeout: 5_000_000, k: 'v' },
      ...inputX({ shape: [2, 3], data: [1, 2, 3, 4, 5, 6] }),
      outputs: [{ name: 'y', parameters: { binary_data: true } }],
    });
    assert.equal(request.id, 'abc');
    assert.equal(request.rows, 2);
    assert.equal(request.priority, 1);
    assert.equal(request.timeoutMs, 5000);
    assert.deepEqual(request.outputs, [{ index: 0, binary: true }]);
    assert.deepEqual(request.inputs[0]?.shape, [2, 3]);
  });

  it('survives the way to another thread', () => {
    const request = decodeJson(inputX({}));
    assert.deepEqual(structuredClone(request), request);
  });

  it('has no id, priority or time limit where the client set none', () => {
    for (const request of [
      decodeJson(inputX({})),
      decodeJson({ ...withParameters({ priority: 0, timeout: 0 }), id: '' }),
      decodeJson({ ...inputX({}), id: null, parameters: null, outputs: null }),
    ]) {
      assert.deepEqual(Object.keys(request).sort(), ['inputs', 'outputs', 'rows']);
    }
  });

  it('may say that all of its body is JSON', () => {
    const body = jsonBody(inputX({}));
    assert.deepEqual(decodeInfer(body, body.byteLength, simpleModel()), decodeInfer(body, undefined, simpleModel()));
  });

  it('ranks priorities beyond the lowest as the lowest', () => {
    for (const [given, priority] of [
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 3],
      [1e9, 3],
    ])
      assert.equal(decodeJson(withParameters({ priority: given })).priority, priority);
  });

  it('takes sequence parameters that name no sequence', () => {
    for (const id of [0, '']) decodeJson(withParameters({ sequence_id: id, sequence_start: true, sequence_end: true }));
  });

  it('may be for more rows than the model takes in one run', () => {
    const data = Array<number>(60).fill(0);
    assert.equal(decodeJson(inputX({ shape: [20, 3], data })).rows, 20);
  });
});

const headerLengths: readonly (readonly [number, number])[] = [
  [-1, 10],
  [11, 10],
  [1.5, 10],
  [NaN, 10],
  [Infinity, 10],
];
for (const [headerLength, size] of headerLengths) {
  it(`a header length of ${headerLength} in a body of ${size} bytes is refused`, () =>
    assertRefused('BAD_REQUEST', /inference header size should be in range \(0, 10\), got: /, () =>
      decodeInfer(new Uint8Array(size), headerLength, simpleModel()),
    ));
}

const refusals: readonly [what: string, code: ErrorCode, message: RegExp, body: unknown][] = [
  ['an empty body', 'BAD_REQUEST', /failed to parse the request JSON/, ''],
  ['text that is not JSON', 'BAD_REQUEST', /failed to parse the request JSON/, '{"inputs":['],
  ['NaN, which is not JSON', 'BAD_REQUEST', /failed to parse/, '{"inputs":[{"data":[NaN]}]}'],
  ['an array', 'BAD_REQUEST', /must be a JSON object/, []],
  ['null', 'BAD_REQUEST', /must be a JSON object/, 'null'],
  ['a number for an id', 'BAD_REQUEST', /'id' must be a string/, { ...inputX({}), id: 5 }],
  ['no inputs', 'BAD_REQUEST', /'inputs' must be an array/, {}],
  ['an empty list of inputs', 'BAD_REQUEST', /'inputs' must be an array/, { inputs: [] }],
  ['an object of inputs', 'BAD_REQUEST', /'inputs' must be an array/, { inputs: { x: 1 } }],
  ['an input that is no object', 'BAD_REQUEST', /entry 0 of 'inputs' must be an object/, { inputs: [5] }],
  ['an input without a name', 'BAD_REQUEST', /must have a 'name'/, inputX({ name: undefined })],
  ['an input without a datatype', 'BAD_REQUEST', /must have a 'datatype'/, inputX({ datatype: undefined })],
  ['an unknown datatype', 'BAD_REQUEST', /unknown datatype 'FP8'/, inputX({ datatype: 'FP8' })],
  ['an input without a shape', 'BAD_REQUEST', /'shape' of input 'x' must be/, inputX({ shape: undefined })],
  ['a negative dimension', 'BAD_REQUEST', /'shape' of input 'x' must be/, inputX({ shape: [-1, 3] })],
  ['a fractional dimension', 'BAD_REQUEST', /'shape' of input 'x' must be/, inputX({ shape: [1.5, 3] })],
  ['a dimension in quotes', 'BAD_REQUEST', /'shape' of input 'x' must be/, inputX({ shape: ['1', 3] })],
  ['a dimension above 2^53', 'BAD_REQUEST', /'shape' of input 'x' must be/, inputX({ shape: [2 ** 53, 3] })],
  ['a shape above 2^53', 'BAD_REQUEST', /too many elements/, inputX({ shape: [2 ** 30, 2 ** 30] })],
  ['a rank above 32', 'BAD_REQUEST', /at most 32/, inputX({ shape: Array<number>(33).fill(1) })],
  ['no data', 'BAD_REQUEST', /must set only one .* sets neither/, inputX({ data: undefined })],
  ['null data', 'BAD_REQUEST', /'data' of input 'x' must be an array/, inputX({ data: null })],
  [
    'two kinds of data',
    'BAD_REQUEST',
    /must set only one .* sets both/,
    inputX({ parameters: { binary_data_size: 12 } }),
  ],
  ['shared memory in', 'BAD_REQUEST', /shared memory/, inputX({ parameters: { shared_memory_region: 'r' } })],
  ['parameters of an input that are no object', 'BAD_REQUEST', /'parameters' of input 'x'/, inputX({ parameters: 1 })],
  ['parameters that are no object', 'BAD_REQUEST', /'parameters' of the request/, withParameters([])],
  ['a sequence', 'BAD_REQUEST', /sequences are not supported/, withParameters({ sequence_id: 5 })],
  ['a named sequence', 'BAD_REQUEST', /sequences are not supported/, withParameters({ sequence_id: 's' })],
  ['a reserved parameter', 'BAD_REQUEST', /starting with 'triton_' are reserved/, withParameters({ triton_x: 1 })],
  ['a negative priority', 'BAD_REQUEST', /'priority' must be/, withParameters({ priority: -1 })],
  ['a priority in quotes', 'BAD_REQUEST', /'priority' must be/, withParameters({ priority: '1' })],
  ['a fractional timeout', 'BAD_REQUEST', /'timeout' must be/, withParameters({ timeout: 0.5 })],
  ['a number for a flag', 'BAD_REQUEST', /'binary_data_output' must be/, withParameters({ binary_data_output: 1 })],
  ['outputs that are no array', 'BAD_REQUEST', /'outputs' must be an array/, { ...inputX({}), outputs: {} }],
  ['an output that is no object', 'BAD_REQUEST', /entry 0 of 'outputs'/, { ...inputX({}), outputs: ['y'] }],
  ['an output without a name', 'BAD_REQUEST', /must have a 'name'/, { ...inputX({}), outputs: [{}] }],
  ['an output twice', 'BAD_REQUEST', /a second time/, { ...inputX({}), outputs: [{ name: 'y' }, { name: 'y' }] }],
  ['an input twice', 'BAD_REQUEST', /given more than once/, { inputs: [inputX({}), inputX({})].flatMap(inputsOf) }],
  ['an unknown input', 'INVALID_INPUT', /^unexpected inference input 'q' for model 'm'$/, inputX({ name: 'q' })],
  [
    'an unknown output',
    'INVALID_INPUT',
    /^unexpected inference output 'q' for model 'm'$/,
    { ...inputX({}), outputs: [{ name: 'q' }] },
  ],
  [
    'another datatype',
    'INVALID_INPUT',
    /^inference input 'x' data-type is 'INT64', but model 'm' expects 'FP32'$/,
    inputX({ datatype: 'INT64' }),
  ],
  [
    'another size',
    'INVALID_INPUT',
    /^unexpected shape for input 'x' for model 'm'. Expected \[-1,3\], got \[1,4\].$/,
    inputX({ shape: [1, 4] }),
  ],
  ['another rank', 'INVALID_INPUT', /Expected \[-1,3\], got \[3\]/, inputX({ shape: [3] })],
];

function inputsOf(request: object): unknown[] {
  return (request as { inputs: unknown[] }).inputs;
}

describe('an inference request is refused for', () => {
  for (const [what, code, message, body] of refusals) {
    it(what, () => assertRefused(code, message, () => decodeJson(body)));
  }

  it('bytes that are not UTF-8', () => {
    const body = jsonBody(inputX({ name: 'x' })).fill(0xff, 5, 6);
    assertRefused('BAD_REQUEST', /not valid UTF-8/, () => decodeInfer(body, undefined, simpleModel()));
  });

  it('a missing input, with the names of all that are missing', () => {
    const model = modelOf(
      ['a', 'b', 'c'].map((name) => spec(name, 'FP32', [-1, 3])),
      [spec('y', 'FP32', [-1, 3])],
    );
    const message =
      /^expected 3 inputs but got 1 inputs for model 'm'. Got input\(s\) \['b'\], but missing required input\(s\) \['a','c'\]. Please/;
    assertRefused('INVALID_INPUT', message, () => decodeJson(inputX({ name: 'b' }), model));
  });

  it('brackets that would fill memory', () => {
    const half = 2 ** 20;
    const deep = /nested 64 deep at most/;
    assertRefused('BAD_REQUEST', deep, () => decodeJson(`{"a":${'['.repeat(half)}${']'.repeat(half)}}`));
    assertRefused('BAD_REQUEST', deep, () => decodeJson(`${'{"a":'.repeat(half)}"`));
    const many = /2097152 arrays, objects and fields at most/;
    assertRefused('TOO_LARGE', many, () => decodeJson(`{"a":[${'[],'.repeat(2 * half)}[]]}`));
    const text = '['.repeat(2 * half) + '\\"';
    const model = modelOf([spec('x', 'BYTES', [-1, 1])], [spec('y', 'FP32', [-1])]);
    const request = decodeJson(inputX({ shape: [1, 1], datatype: 'BYTES', data: [text] }), model);
    assert.deepEqual(request.inputs[0]?.data, [text], 'brackets within a string are no brackets');
    assertRefused('BAD_REQUEST', /failed to parse/, () => decodeJson(`{"a":"${'['.repeat(half)}`));
  });

  it('a name of any length, without repeating all of it', () => {
    assertRefused('INVALID_INPUT', /^.{0,200}$/, () => decodeJson(inputX({ name: 'n'.repeat(100_000) })));
  });
});

describe('rows', () => {
  const batched = modelOf(
    [spec('a', 'FP32', [-1, 1]), spec('state', 'FP32', [2, -1], 1), spec('rate', 'INT64', [], null)],
    [spec('y', 'FP32', [-1])],
  );
  const request = (a: number, state: number): object => ({
    inputs: [
      { name: 'a', shape: [a, 1], datatype: 'FP32', data: Array<number>(a).fill(0) },
      { name: 'state', shape: [2, state], datatype: 'FP32', data: Array<number>(2 * state).fill(0) },
      { name: 'rate', shape: [], datatype: 'INT64', data: [16000] },
    ],
  });

  it('are counted along the batch axis of each input', () => {
    assert.equal(decodeJson(request(4, 4), batched).rows, 4);
    assertRefused('INVALID_INPUT', /inputs 'a' and 'state' differ in batch size: 4 and 3/, () =>
      decodeJson(request(4, 3), batched),
    );
  });

  it('are 1 for a model that cannot batch, whatever the shapes', () => {
    const { inputs, outputs } = batched.signature;
    assert.equal(decodeJson(request(4, 3), modelOf(inputs, outputs, false)).rows, 1);
  });

  it('may differ from the size that the graph happens to state for its batch', () => {
    const model = modelOf([spec('x', 'FP32', [1, 3])], [spec('y', 'FP32', [1, 3])]);
    assert.equal(decodeJson(inputX({ shape: [2, 3], data: [1, 2, 3, 4, 5, 6] }), model).rows, 2);
    assertRefused('INVALID_INPUT', /Expected \[-1,3\]/, () => decodeJson(inputX({ shape: [2, 2] }), model));
    const single = modelOf([spec('x', 'FP32', [1, 3])], [spec('y', 'FP32', [1, 3])], false);
    assertRefused('INVALID_INPUT', /Expected \[1,3\], got \[2,3\]/, () =>
      decodeJson(inputX({ shape: [2, 3] }), single),
    );
  });
});

describe('requested outputs', () => {
  const all = (binary: boolean): OipOutputRequest[] => [0, 1].map((index) => ({ index, binary }));

  it('are all of them, in JSON, when none is named', () => {
    assert.deepEqual(outputsOf({}), all(false));
    assert.deepEqual(outputsOf({ outputs: [] }), all(false));
  });

  it('are all binary with binary_data_output, even when every input is JSON', () => {
    assert.deepEqual(outputsOf({ parameters: { binary_data_output: true } }), all(true));
  });

  it('keep the order asked, and say themselves whether they are binary', () => {
    const outputs = [{ name: 'z', parameters: { binary_data: false } }, { name: 'y' }];
    assert.deepEqual(outputsOf({ outputs, parameters: { binary_data_output: true } }), [
      { index: 1, binary: false },
      { index: 0, binary: true },
    ]);
  });

  it('can be classified if they hold numbers', () => {
    const ask = (name: string, classification: unknown): object => ({
      outputs: [{ name, parameters: { classification, binary_data: true } }],
    });
    assert.deepEqual(outputsOf(ask('y', 2)), [{ index: 0, binary: true, classification: 2 }]);
    assert.deepEqual(outputsOf(ask('y', 0)), [{ index: 0, binary: true }]);
    for (const count of [-1, 1.5, '2', true])
      assertRefused('BAD_REQUEST', /'classification' must be/, () => outputsOf(ask('y', count)));
    assertRefused('INVALID_INPUT', /class result not available for output 'z'/, () => outputsOf(ask('z', 1)));
  });

  it('may not go to shared memory', () => {
    for (const key of ['shared_memory_region', 'shared_memory_offset', 'shared_memory_byte_size'])
      assertRefused('BAD_REQUEST', /shared memory is not supported/, () =>
        outputsOf({ outputs: [{ name: 'y', parameters: { [key]: 1 } }] }),
      );
  });

  it('must say binary_data by true or false', () => {
    assertRefused('BAD_REQUEST', /'binary_data' must be true or false/, () =>
      outputsOf({ outputs: [{ name: 'y', parameters: { binary_data: 'yes' } }] }),
    );
  });
});

describe('what real clients send', () => {
  it('is taken from perf_analyzer: an empty id, a header length, outputs by name', () => {
    const model = modelOf([spec('ngrams', 'FP32', [-1, 620])], [spec('probs', 'FP32', [-1, 3])]);
    const [body, headerLength] = binaryBody(
      '{"id":"","inputs":[{"name":"ngrams","datatype":"FP32","shape":[1,620],"parameters":{"binary_data_size":2480}}],"outputs":[{"name":"probs","parameters":{"binary_data":true}}]}',
      new Uint8Array(2480).fill(0xff),
    );
    const request = decodeInfer(body, headerLength, model);
    assert.equal(request.id, undefined);
    assert.deepEqual(request.outputs, [{ index: 0, binary: true }]);
  });

  it('is taken from tritonclient: binary both ways, nothing else said', () => {
    const model = modelOf([spec('a', 'FP32', [-1, 4])], [spec('sum', 'FP32', [-1, 4])]);
    const [body, headerLength] = binaryBody(
      '{"inputs":[{"name":"a","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}}],"parameters":{"binary_data_output":true}}',
      new Uint8Array(16),
    );
    assert.equal(headerLength, 135);
    assert.deepEqual(decodeInfer(body, headerLength, model).outputs, [{ index: 0, binary: true }]);
  });
});
