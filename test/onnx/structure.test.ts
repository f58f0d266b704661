import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InferenceSession } from 'onnxruntime-node';
import { findOperator } from '../../src/onnx/operators.ts';
import { metadataOf } from '../../src/onnx/signature.ts';
import { readGraphEnds, readOnnxModel, tryReadOnnxModel } from '../../src/onnx/structure.ts';
import { tinyDecoder } from '../programs/generation/tiny-decoder.ts';
import { tinyDecoder as tinySpeechDecoder } from '../programs/speech/tiny-whisper.ts';
import { RUNNABLE, simple, value, writeBytes, writeModel } from './models.ts';

const FILES = { 'a decoder': tinyDecoder({}), 'a merged decoder of speech': tinySpeechDecoder() };

for (const [what, bytes] of Object.entries(FILES))
  test(`the file of ${what} tells of inputs and outputs what ONNX Runtime tells of the opened graph`, async (t) => {
    const file = await writeBytes(t, bytes);
    const session = await InferenceSession.create(file);
    const { inputMetadata, outputMetadata } = metadataOf(readOnnxModel(file).graph);
    assert.deepEqual(inputMetadata, session.inputMetadata);
    assert.deepEqual(
      outputMetadata.map(({ name }) => name),
      session.outputNames,
    );
    await session.release();
  });

test('element types have the names that ONNX Runtime gives them', async (t) => {
  for (const datatype of RUNNABLE) {
    const file = await writeModel(t, simple('Identity', datatype, ['batch', 2]));
    const session = await InferenceSession.create(file);
    const { inputMetadata, outputMetadata } = metadataOf(readOnnxModel(file).graph);
    assert.deepEqual([inputMetadata, outputMetadata], [session.inputMetadata, session.outputMetadata]);
    await session.release();
  }
});

test('an operator is found among the nodes, not in the bytes of weights', async (t) => {
  const grouped = new Set(['com.microsoft:GroupQueryAttention']);
  const found = async (bytes: Uint8Array) => findOperator(readOnnxModel(await writeBytes(t, bytes)), grouped)?.op;
  assert.equal(await found(tinyDecoder({ grouped: true })), 'GroupQueryAttention');
  assert.equal(await found(tinyDecoder({ spells: true })), undefined);
});

test('constants that old exporters list as inputs are none', async (t) => {
  const graph = {
    inputs: [value('x', 'FP32', ['n']), value('w', 'FP32', [1])],
    outputs: [value('y', 'FP32', ['n'])],
    nodes: [{ op: 'Mul', inputs: ['x', 'w'], outputs: ['y'] }],
    initializers: [{ name: 'w', datatype: 'FP32' as const, shape: [1], data: Float32Array.of(2) }],
  };
  const file = await writeModel(t, graph);
  assert.deepEqual(
    readGraphEnds(file).inputs.map(({ name }) => name),
    ['x'],
  );
  assert.deepEqual(
    metadataOf(readOnnxModel(file).graph).inputMetadata.map(({ name }) => name),
    ['x'],
  );
});

test('a file that is no ONNX file is read as none', async (t) => {
  const file = await writeBytes(t, Buffer.from('version https://git-lfs.github.com/spec/v1'));
  assert.throws(() => readOnnxModel(file), /not a protobuf message/);
  assert.equal(tryReadOnnxModel(file), undefined);
});
