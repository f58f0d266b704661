import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bfloat16Bits, float16Bits, readBFloat16, readFloat16 } from '../../../src/tensors/half-float.ts';
import { createTask } from '../../../src/tasks/registry.ts';
import type { Task } from '../../../src/tasks/task.ts';
import { typedView, type Datatype, type Signature, type Tensor } from '../../../src/tensors/tensor.ts';
import { json, jsonOf, raw, refusal, sourceFor, spec } from '../support.ts';

function taskOf(signature: Signature): Promise<Task> {
  return createTask(sourceFor('tensors', signature));
}

/** A model that gives back what it gets, of one datatype and row shape. */
function mirror(datatype: Datatype, row: number[]): Promise<Task> {
  const tensor = spec('x', datatype, [-1, ...row]);
  return taskOf({ inputs: [tensor], outputs: [tensor], batchable: true });
}

async function prepared(task: Task, value: unknown): Promise<Readonly<Record<string, Tensor>>> {
  return (await task.prepare(json(value))).inputs;
}

/** The value as it comes back when the model changes nothing. */
async function mirrored(task: Task, value: unknown): Promise<unknown> {
  return jsonOf(await task.finish(await prepared(task, value), undefined));
}

function elements(tensor: Tensor | undefined): unknown[] {
  assert.ok(tensor !== undefined && tensor.datatype !== 'BYTES');
  return [...typedView(tensor)];
}

test('a single number is the row of a model of scalars', async () => {
  const task = await mirror('FP64', []);
  const { x } = await prepared(task, 3);
  assert.deepEqual(x?.shape, [1]);
  assert.deepEqual(elements(x), [3]);
  assert.equal(await mirrored(task, 3), 3);
});

test('nested arrays become a row-major row with the batch axis, and come back without it', async () => {
  const task = await mirror('INT32', [2, -1]);
  const { x } = await prepared(task, [
    [1, 2, 3],
    [4, 5, 6],
  ]);
  assert.deepEqual(x?.shape, [1, 2, 3]);
  assert.deepEqual(elements(x), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(await mirrored(task, [[1], [2]]), [[1], [2]]);
});

test('any rectangle of numbers survives the way to tensors and back', async () => {
  const task = await mirror('FP64', [-1, -1, -1]);
  const size = fc.integer({ min: 1, max: 4 });
  const value = fc.tuple(size, size, size).chain(([a, b, c]) => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((double) => double + 0);
    const exactly = (length: number): { minLength: number; maxLength: number } => ({
      minLength: length,
      maxLength: length,
    });
    return fc.array(fc.array(fc.array(number, exactly(c)), exactly(b)), exactly(a));
  });
  await fc.assert(fc.asyncProperty(value, async (array) => assert.deepEqual(await mirrored(task, array), array)));
});

test('rows get the batch axis where the model has it, and inputs without one are given whole', async () => {
  const task = await taskOf({
    inputs: [spec('x', 'FP32', [2, -1, 3], 1), spec('rate', 'INT64', [], null), spec('taps', 'FP32', [-1], null)],
    outputs: [spec('y', 'FP32', [2, -1, 3], 1), spec('total', 'FP32', [], null)],
    batchable: true,
  });
  const row = [
    [1, 2, 3],
    [4, 5, 6],
  ];
  const inputs = await prepared(task, { x: row, rate: 16_000, taps: [0.5, 0.5] });
  assert.deepEqual(inputs['x']?.shape, [2, 1, 3]);
  assert.deepEqual(inputs['rate']?.shape, []);
  assert.deepEqual(elements(inputs['rate']), [16_000n]);
  assert.deepEqual(inputs['taps']?.shape, [2]);
  const total: Tensor = { datatype: 'FP32', shape: [], data: new Uint8Array(Float32Array.of(0.1).buffer) };
  assert.deepEqual(jsonOf(await task.finish({ y: inputs['x'], total }, undefined)), { y: row, total: 0.1 });
});

test('a model that cannot batch takes and gives whole tensors', async () => {
  const tensor = spec('x', 'FP32', [1, 2], null);
  const task = await taskOf({ inputs: [tensor], outputs: [tensor], batchable: false });
  assert.deepEqual(await mirrored(task, [[0.1, 2]]), [[0.1, 2]]);
  assert.deepEqual(await mirrored(task, [0.1, 2]), [[0.1, 2]], 'a row may come without the first axis');
  await assert.rejects(prepared(task, [[0.1], [2]]), refusal('INVALID_INPUT', /\[1, 2\]/));
});

test('a row of a single element needs no array', async () => {
  const column = spec('age', 'INT64', [-1, 1]);
  const text = { name: 'city', datatype: 'BYTES', shape: [-1, 1], batchAxis: 0 } as const;
  for (const batchable of [true, false]) {
    const task = await taskOf({ inputs: [column, text], outputs: [column], batchable });
    const { age, city } = await prepared(task, { age: 35, city: 'Oslo' });
    assert.deepEqual(
      [age?.shape, elements(age), city],
      [[1, 1], [35n], { datatype: 'BYTES', shape: [1, 1], data: ['Oslo'] }],
    );
  }
  const pair = await taskOf({ inputs: [spec('x', 'FP32', [-1, 1, 2])], outputs: [], batchable: true });
  await assert.rejects(prepared(pair, 1), { message: /an array of shape \[1, 2\], not a single value/ });
});

test('an output of more rows than one keeps its shape', async () => {
  const signature = { inputs: [spec('x', 'FP32', [-1], 0)], outputs: [spec('y', 'FP32', [-1, 3], 0)], batchable: true };
  const task = await taskOf(signature);
  const data = new Uint8Array(Float32Array.from({ length: 6 }, (_, at) => at).buffer);
  const y: Tensor = { datatype: 'FP32', shape: [2, 3], data };
  assert.deepEqual(jsonOf(await task.finish({ y }, undefined)), [
    [0, 1, 2],
    [3, 4, 5],
  ]);
});

test('empty arrays become tensors without elements, shaped by the model', async () => {
  const task = await mirror('FP32', [-1, 4]);
  const inputs = await prepared(task, []);
  assert.deepEqual(inputs['x']?.shape, [1, 0, 4]);
  assert.deepEqual(await mirrored(task, []), []);
  const columns = await mirror('FP32', [2, -1]);
  assert.deepEqual(await mirrored(columns, [[], []]), [[], []]);
});

test('null is refused as a number, with the element and what carries NaN', async () => {
  const task = await mirror('FP32', [2, -1]);
  const message = /^Input x: element 3 is null, which is no number; NaN goes in binary tensors only/;
  await assert.rejects(
    prepared(task, [
      [1, 2],
      [3, null],
    ]),
    refusal('BAD_REQUEST', message),
  );
});

test('a model of one input takes it by name, too', async () => {
  assert.equal(await mirrored(await mirror('FP32', []), { x: 0.25 }), 0.25);
});

const VALUES: Record<Exclude<Datatype, 'BF16'>, { good: unknown[]; bad: unknown[] }> = {
  BOOL: { good: [true, false], bad: [0, 1, 'true'] },
  UINT8: { good: [0, 255], bad: [-1, 256, 1.5, '1', true] },
  UINT16: { good: [0, 65_535], bad: [-1, 65_536] },
  UINT32: { good: [0, 4_294_967_295], bad: [-1, 4_294_967_296] },
  UINT64: { good: [0, 2 ** 53 - 1, '18446744073709551615'], bad: [-1, 2 ** 53, '18446744073709551616', '-1', '1.0'] },
  INT8: { good: [-128, 127], bad: [-129, 128] },
  INT16: { good: [-32_768, 32_767], bad: [-32_769, 32_768] },
  INT32: { good: [-(2 ** 31), 2 ** 31 - 1], bad: [-(2 ** 31) - 1, 2 ** 31] },
  INT64: {
    good: [-(2 ** 53) + 1, '-9223372036854775808', '9223372036854775807'],
    bad: [2 ** 53, '9223372036854775808', '', '0x10', ' 1', '1e3', 1.5],
  },
  FP16: { good: [0.5, -2, 65_504], bad: [65_520, 1e300, '1', true] },
  FP32: { good: [0.1, 1e-45, -3.4028235e38], bad: [3.5e38, 'NaN', '1', {}, undefined] },
  FP64: { good: [0.1, 1e308], bad: ['1', [], undefined] },
  BYTES: { good: ['', 'ä 𝒽'], bad: [1, null, '\ud800'] },
};

for (const [datatype, { good, bad }] of Object.entries(VALUES))
  test(`${datatype} elements come back as they were sent, and others are refused`, async () => {
    const task = await mirror(datatype as Datatype, []);
    for (const value of good) assert.deepEqual(await mirrored(task, value), value);
    for (const value of bad) await assert.rejects(prepared(task, value), refusal('INVALID_INPUT', /input/i));
  });

test('64-bit integers within 2^53 come back as numbers', async () => {
  assert.equal(await mirrored(await mirror('INT64', []), '-42'), -42);
});

test('infinite results are null', async () => {
  const task = await mirror('FP32', []);
  const data = new Uint8Array(Float32Array.of(Infinity).buffer);
  assert.equal(jsonOf(await task.finish({ x: { datatype: 'FP32', shape: [1], data } }, undefined)), null);
});

test('half floats are rounded to the nearest, ties to even', () => {
  for (let bits = 0; bits < 0x10000; bits += 1) {
    const [half, brain] = [readFloat16(bits), readBFloat16(bits)];
    if (!Number.isNaN(half)) assert.equal(float16Bits(half), bits);
    if (!Number.isNaN(brain)) assert.equal(bfloat16Bits(brain), bits);
  }
  const nearest = (value: number, read: (bits: number) => number, bits: number): void => {
    const error = Math.abs(read(bits) - value);
    for (const other of [bits - 1, bits + 1].filter((neighbour) => (neighbour & 0x7fff) !== 0x7fff && neighbour >= 0)) {
      const distance = Math.abs(read(other) - value);
      if (Number.isFinite(distance)) assert.ok(error < distance || (error === distance && bits % 2 === 0));
    }
  };
  fc.assert(
    fc.property(fc.double({ min: 0, max: 65_504, noNaN: true }), (value) => {
      nearest(value, readFloat16, float16Bits(value));
      nearest(value, readBFloat16, bfloat16Bits(value));
    }),
  );
  assert.equal(float16Bits(NaN), 0x7e00);
  assert.equal(float16Bits(1e-9), 0);
  assert.equal(float16Bits(-1e-9), 0x8000);
  assert.equal(float16Bits(65_520), 0x7c00);
  assert.equal(float16Bits(65_519), 0x7bff);
});

test('arrays that are not a row of the model are refused with a reason', async () => {
  const task = await mirror('FP32', [2, -1]);
  const deep = Array.from({ length: 5000 }).reduce((inner) => [inner], 1);
  const cases: [unknown, RegExp][] = [
    [5, /an array of shape \[2, any\], not a single value/],
    [[1, 2], /not an array of shape \[2\]/],
    [[[1], [2], [3]], /not an array of shape \[3, 1\]/],
    [[[1, 2], [3]], /ragged/],
    [[[1], 2], /ragged/],
    [[[1], [[2]]], /ragged/],
    [[], /not an array of shape \[0\]/],
    [[[[]]], /not nested 3 deep/],
    [deep, /shape \[2, any\], not nested 5000 deep; an item is one row/],
    [null, /not a single value/],
    [[[1], ['2']], /element 1 must be a number/],
  ];
  for (const [value, message] of cases)
    await assert.rejects(prepared(task, value), refusal('INVALID_INPUT', message), String(message));
});

test('missing and unknown inputs are refused by name', async () => {
  const task = await taskOf({
    inputs: [spec('a', 'FP32', [-1]), spec('b', 'FP32', [-1])],
    outputs: [spec('c', 'FP32', [-1])],
    batchable: true,
  });
  await assert.rejects(prepared(task, { a: 1 }), refusal('INVALID_INPUT', /Missing input: b/));
  await assert.rejects(prepared(task, { a: 1, b: 2, c: 3 }), refusal('INVALID_INPUT', /Unknown input/));
  await assert.rejects(prepared(task, 5), refusal('INVALID_INPUT', /inputs a, b/));
  await assert.rejects(prepared(task, JSON.parse('{"a":1,"b":2,"__proto__":3}') as unknown), refusal('INVALID_INPUT'));
  await assert.rejects(
    async () => task.prepare(raw('text/plain', Buffer.from('5'))),
    refusal('UNSUPPORTED_MEDIA_TYPE'),
  );
});

test('large rows and replies are left to other threads', async () => {
  const task = await mirror('FP32', [-1, -1]);
  assert.equal(task.isLight(json([[1, 2, 3]])), true);
  assert.equal(task.isLight(json(Array.from({ length: 1000 }, () => new Array<number>(1000).fill(0)))), false);
  assert.equal(task.isLightReply(100), true);
  assert.equal(task.isLightReply(10_000_000), false);
});

test('options that the task has not got are refused at load', async () => {
  const tensor = spec('x', 'FP32', [-1]);
  const signature = { inputs: [tensor], outputs: [tensor], batchable: true };
  await assert.rejects(createTask(sourceFor('tensors', signature, { options: { topK: 3 } })), /topK/);
  await assert.rejects(createTask(sourceFor('tensor', signature)), /unknown task "tensor"; there are tensors/);
});
