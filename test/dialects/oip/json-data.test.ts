import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Datatype } from '../../../src/tensors/tensor.ts';
import { assertRefused, decodeJson, elements, inputX, modelOf, simpleModel, spec } from './fixtures.ts';

/** A body as text, because JSON.stringify could not write the numbers under test. */
function bodyText(datatype: Datatype, data: string, shape = '[1,3]'): string {
  return `{"inputs":[{"name":"x","shape":${shape},"datatype":"${datatype}","data":${data}}]}`;
}

function read(datatype: Datatype, data: string, shape?: string): unknown[] {
  return elements(decodeJson(bodyText(datatype, data, shape), simpleModel(datatype)).inputs[0]);
}

const accepted: readonly [datatype: Datatype, data: string, values: unknown[]][] = [
  ['BOOL', '[true,false,true]', [1, 0, 1]],
  ['BOOL', '[1,0,true]', [1, 0, 1]],
  ['UINT8', '[0,255,7]', [0, 255, 7]],
  ['UINT16', '[0,65535,7]', [0, 65535, 7]],
  ['UINT32', '[0,4294967295,7]', [0, 4294967295, 7]],
  ['UINT64', '[0,18446744073709551615,9007199254740993]', [0n, 18446744073709551615n, 9007199254740993n]],
  ['INT8', '[-128,127,0]', [-128, 127, 0]],
  ['INT16', '[-32768,32767,0]', [-32768, 32767, 0]],
  ['INT32', '[-2147483648,2147483647,1e3]', [-2147483648, 2147483647, 1000]],
  ['INT64', '[-1,5.0,-9007199254740991]', [-1n, 5n, -9007199254740991n]],
  [
    'INT64',
    '[-9223372036854775808,9223372036854775807,-9007199254740993]',
    [-9223372036854775808n, 9223372036854775807n, -9007199254740993n],
  ],
  ['INT64', '[-4294967296,4294967295,-0]', [-4294967296n, 4294967295n, 0n]],
  ['FP32', '[0.1,0,-3.4e38]', [Math.fround(0.1), 0, Math.fround(-3.4e38)]],
  ['FP32', '[10000000000000000000,1e-60,-0.0]', [1e19, 0, -0].map(Math.fround)],
  ['FP64', '[0.1,0,1.7976931348623157e308]', [0.1, 0, Number.MAX_VALUE]],
  ['BYTES', '["a","",  "\\u00e9\\ud83d\\ude00"]', ['a', '', 'é😀']],
];

const refused: readonly [datatype: Datatype, data: string][] = [
  ['BOOL', '[2,0,0]'],
  ['BOOL', '["true",0,0]'],
  ['UINT8', '[256,0,0]'],
  ['UINT8', '[-1,0,0]'],
  ['INT8', '[128,0,0]'],
  ['INT8', '[0.5,0,0]'],
  ['UINT16', '[65536,0,0]'],
  ['INT16', '[-32769,0,0]'],
  ['UINT32', '[4294967296,0,0]'],
  ['INT32', '[2147483648,0,0]'],
  ['INT32', '[null,0,0]'],
  ['INT32', '["1",0,0]'],
  ['INT32', '[true,0,0]'],
  ['INT64', '[9223372036854775808,0,0]'],
  ['INT64', '[-9223372036854775809,0,0]'],
  ['INT64', '["9007199254740993",0,0]'],
  ['INT64', '["5",0,0]'],
  ['INT64', '[1.5,0,0]'],
  ['INT64', '[null,0,0]'],
  ['INT64', '[9007199254740993.0,0,0]'],
  ['INT64', '[1e18,0,0]'],
  ['UINT64', '[18446744073709551616,0,0]'],
  ['UINT64', '[-1,0,0]'],
  ['UINT64', '[-9007199254740993,0,0]'],
  ['FP32', '[3.5e38,0,0]'],
  ['FP32', '[1e999,0,0]'],
  ['FP32', '[null,0,0]'],
  ['FP32', '["NaN",0,0]'],
  ['FP64', '[null,0,0]'],
  ['FP32', '["1",0,0]'],
  ['FP32', '[true,0,0]'],
  ['FP32', '[{},0,0]'],
  ['FP64', '[1e999,0,0]'],
  ['BYTES', '[1,"",""]'],
  ['BYTES', '[null,"",""]'],
  ['BYTES', '["\\ud800","",""]'],
];

describe('tensor data in JSON', () => {
  for (const [datatype, data, values] of accepted) {
    it(`takes ${datatype} ${data}`, () => assert.deepEqual(read(datatype, data), values));
  }

  for (const [datatype, data] of refused) {
    it(`refuses ${datatype} ${data}`, () =>
      assertRefused('BAD_REQUEST', /^element 0 of input 'x' is not a valid/, () => read(datatype, data)));
  }

  it('says which element is null, and how NaN travels', () => {
    const message =
      /^element 2 of input 'x' is not a valid FP32 value: null is no number, NaN goes in binary data only$/;
    assertRefused('BAD_REQUEST', message, () => read('FP32', '[1,2,null]'));
  });

  for (const datatype of ['FP16', 'BF16'] as const) {
    it(`refuses ${datatype}, also for an FP32 input`, () => {
      const message = new RegExp(`^receiving ${datatype} data via JSON is not supported. Please use the binary`);
      assertRefused('BAD_REQUEST', message, () => read(datatype, '[1,2,3]'));
      assertRefused('BAD_REQUEST', message, () => decodeJson(bodyText(datatype, '[1,2,3]'), simpleModel('FP32')));
    });
  }

  const shapes: readonly [data: string, shape: string][] = [
    ['[1,2,3,4,5,6]', '[2,3]'],
    ['[[1,2,3],[4,5,6]]', '[2,3]'],
    ['[[[1],[2]],[[3],[4]],[[5],[6]]]', '[3,2,1]'],
    ['[[1,2],[3,4],[5,6]]', '[3,2,1]'],
    ['[[1,2,3,4,5,6]]', '[1,2,3]'],
  ];
  for (const [data, shape] of shapes) {
    it(`reads ${data} for shape ${shape} in row-major order`, () => {
      const rank = (JSON.parse(shape) as number[]).length;
      const model = modelOf([spec('x', 'INT32', Array<number>(rank).fill(-1))], [spec('y', 'INT32', [-1])]);
      const request = decodeJson(bodyText('INT32', data, shape), model);
      assert.deepEqual(elements(request.inputs[0]), [1, 2, 3, 4, 5, 6]);
    });
  }

  it('takes one element for a scalar', () => {
    const model = modelOf([spec('x', 'FP32', [], null)], [spec('y', 'FP32', [], null)], false);
    assert.deepEqual(elements(decodeJson(bodyText('FP32', '[5]', '[]'), model).inputs[0]), [5]);
    assertRefused('BAD_REQUEST', /must hold 1 elements/, () => decodeJson(bodyText('FP32', '[[5]]', '[]'), model));
    assertRefused('BAD_REQUEST', /must be an array/, () => decodeJson(bodyText('FP32', '5', '[]'), model));
  });

  const wrongCounts = ['[1,2]', '[1,2,3,4]', '[]', '[[1,2,3],[1,2,3]]', '[[1,2],[3]]', '[[[1,2,3]]]', '[[1,2,3],4]'];
  for (const data of wrongCounts) {
    it(`refuses ${data} for shape [1,3]`, () =>
      assertRefused('BAD_REQUEST', /must hold 3 elements/, () => read('FP32', data)));
  }

  it('refuses ragged rows whose sum is right', () => {
    assertRefused('BAD_REQUEST', /must hold 6 elements/, () => read('FP32', '[[1,2,3,4],[5,6]]', '[2,3]'));
    assertRefused('BAD_REQUEST', /must hold 6 elements/, () => read('FP32', '[[1,2],[3,4],[5,6]]', '[2,3]'));
  });

  it('refuses a scalar among rows and a row among scalars', () => {
    assertRefused('BAD_REQUEST', /must hold/, () => read('FP32', '[[1,2,3],4]', '[2,3]'));
    assertRefused('BAD_REQUEST', /element 1 of/, () => read('FP32', '[1,[2],3]'));
  });

  it('refuses a huge shape before it allocates anything', () => {
    assertRefused('BAD_REQUEST', /must hold 3000000000000 elements/, () => read('FP64', '[1]', '[1000000000000,3]'));
  });

  it('finds large integers between strings, escapes and nested rows', () => {
    const model = modelOf([spec('s', 'BYTES', [-1, 2]), spec('x', 'INT64', [-1, 2])], [spec('y', 'INT64', [-1])]);
    const text = `{"id":"12345678901234567890 \\" 1","inputs":[
      {"name":"s","shape":[1,2],"datatype":"BYTES","data":["12345678901234567891\\\\","\\"12345678901234567892"]},
      {"name":"x","shape":[2,2],"datatype":"INT64","data":[[1234567890123456789,-3],[ 4 ,-1234567890123456789]]}]}`;
    assert.throws(() => decodeJson(text, model), /differ in batch size/);
    const request = decodeJson(
      text.replace('[1,2],"datatype":"BYTES"', '[2,2],"datatype":"BYTES"').replace('"data":["12', '"data":["","","12'),
      model,
    );
    assert.equal(request.id, '12345678901234567890 " 1');
    assert.deepEqual(elements(request.inputs[0]), ['', '', '12345678901234567891\\', '"12345678901234567892']);
    assert.deepEqual(elements(request.inputs[1]), [1234567890123456789n, -3n, 4n, -1234567890123456789n]);
  });

  it('does not take a string of digits for an integer, beside a large one', () => {
    assertRefused('BAD_REQUEST', /element 1 of/, () => read('INT64', '[9007199254740993,"9007199254740993",0]'));
  });

  it('refuses an integer of millions of digits without reading it', () => {
    assertRefused('BAD_REQUEST', /element 0 of/, () => read('INT64', `[${'9'.repeat(8_000_000)},0,0]`));
  });

  it('survives deep nesting', () => {
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    assertRefused('BAD_REQUEST', /must hold 3 elements/, () => read('FP32', deep));
    assertRefused('BAD_REQUEST', /element 0/, () => read('INT64', `[9007199254740993.5,${deep},0]`));
  });

  it('takes any names of tensors and parameters, however odd', () => {
    const model = modelOf([spec('__proto__', 'FP32', [-1, 3])], [spec('constructor', 'FP32', [-1, 3])]);
    const text = `{"__proto__":{"id":5},"parameters":{"__proto__":true},"inputs":[{"name":"__proto__","shape":[1,3],
      "datatype":"FP32","data":[1,2,3]}],"outputs":[{"name":"constructor"}]}`;
    const request = decodeJson(text, model);
    assert.deepEqual(elements(request.inputs[0]), [1, 2, 3]);
    assert.equal(request.id, undefined);
    for (const name of ['__proto__', 'toString', 'constructor'])
      assertRefused('INVALID_INPUT', /unexpected inference input/, () => decodeJson(inputX({ name })));
    assertRefused('BAD_REQUEST', /unknown datatype 'toString'/, () => decodeJson(inputX({ datatype: 'toString' })));
  });
});
