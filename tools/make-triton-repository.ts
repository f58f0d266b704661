import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { onnxModel, type OnnxGraph } from './onnx-writer.ts';

/**
 * A repository as Triton Inference Server takes it: five tiny ONNX models, each with its `config.pbtxt`. For tests, and to try a client on:
 * `node dist/tools/make-triton-repository.js FOLDER`.
 */

type Files = Readonly<Record<string, string | Uint8Array>>;

/** y = x * factor, rows of four numbers. */
function scaling(factor: number): Uint8Array {
  return onnxModel({
    name: 'scaling',
    inputs: [{ name: 'x', datatype: 'FP32', shape: ['batch', 4] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: ['batch', 4] }],
    nodes: [{ op: 'Mul', inputs: ['x', 'factor'], outputs: ['y'] }],
    initializers: [{ name: 'factor', datatype: 'FP32', shape: [], data: Float32Array.of(factor) }],
  });
}

/** Sums and differences of two rows of sixteen whole numbers, without a batch. */
const ADDING: OnnxGraph = {
  name: 'adding',
  inputs: ['INPUT0', 'INPUT1'].map((name) => ({ name, datatype: 'INT32', shape: [16] })),
  outputs: ['OUTPUT0', 'OUTPUT1'].map((name) => ({ name, datatype: 'INT32', shape: [16] })),
  nodes: [
    { op: 'Add', inputs: ['INPUT0', 'INPUT1'], outputs: ['OUTPUT0'] },
    { op: 'Sub', inputs: ['INPUT0', 'INPUT1'], outputs: ['OUTPUT1'] },
  ],
};

/** Probabilities of three classes, the softmax of three scores. */
const CLASSES: OnnxGraph = {
  name: 'classes',
  inputs: [{ name: 'scores', datatype: 'FP32', shape: ['batch', 'scores'] }],
  outputs: [{ name: 'probabilities', datatype: 'FP32', shape: ['batch', 'scores'] }],
  nodes: [{ op: 'Softmax', inputs: ['scores'], outputs: ['probabilities'], attributes: { axis: { int: 1 } } }],
};

/** Determinants of 2 x 2 matrices of table entries: the row's four ids choose them. Other ids than 0 to 9 fail. */
const TABLE: OnnxGraph = {
  name: 'table',
  inputs: [{ name: 'ids', datatype: 'INT64', shape: ['batch', 2, 2] }],
  outputs: [{ name: 'determinant', datatype: 'FP32', shape: ['batch'] }],
  nodes: [
    { op: 'Gather', inputs: ['entries', 'ids'], outputs: ['matrices'] },
    { op: 'Det', inputs: ['matrices'], outputs: ['determinant'] },
  ],
  initializers: [
    { name: 'entries', datatype: 'FP32', shape: [10], data: Float32Array.from({ length: 10 }, (_, id) => id * id) },
  ],
};

const BATCHED = `# Requests share runs of up to 8 rows.
name: "batched"
platform: "onnxruntime_onnx"
max_batch_size: 8
input [ { name: "x", data_type: TYPE_FP32, dims: [ 4 ] } ]
output [ { name: "y", data_type: TYPE_FP32, dims: [ 4 ] } ]
dynamic_batching {
  preferred_batch_size: [ 4, 8 ]
  max_queue_delay_microseconds: 100
  default_queue_policy { max_queue_size: 64 }
}
instance_group [ { kind: KIND_CPU, count: 1 } ]
parameters { key: "intra_op_thread_count" value { string_value: "1" } }
`;

const UNBATCHED = `backend: "onnxruntime"
max_batch_size: 0
input [
  { name: "INPUT0" data_type: TYPE_INT32 dims: [ 16 ] },
  { name: "INPUT1" data_type: TYPE_INT32 dims: [ 16 ] }
]
output [
  { name: "OUTPUT0" data_type: TYPE_INT32 dims: [ 16 ] },
  { name: "OUTPUT1" data_type: TYPE_INT32 dims: [ 16 ] }
]
response_cache { enable: true }
`;

const VERSIONS = `platform: "onnxruntime_onnx"
max_batch_size: 4
input { name: "x" data_type: TYPE_FP32 dims: 4 }
output { name: "y" data_type: TYPE_FP32 dims: 4 }
version_policy: { specific { versions: [ 1, 3 ] } }
default_model_filename: "scaling.onnx"
`;

const LABELS = `platform: "onnxruntime_onnx"
max_batch_size: 16
input < name: "scores" data_type: TYPE_FP32 dims: [ 3 ] >
output < name: "probabilities" data_type: TYPE_FP32 dims: [ 3 ] label_filename: "animals.txt" >
`;

const RESHAPED = `platform: "onnxruntime_onnx"
max_batch_size: 8
input { name: "ids" data_type: TYPE_INT64 dims: [ 4 ] reshape { shape: [ 2, 2 ] } }
output { name: "determinant" data_type: TYPE_FP32 dims: [ 1 ] reshape { shape: [ ] } }
model_warmup {
  name: "four ids"
  batch_size: 2
  inputs {
    key: "ids"
    value { data_type: TYPE_INT64 dims: [ 4 ] input_data_file: "ids.bin" }
  }
}
`;

/** Paths in the repository and their contents. */
export const TRITON_REPOSITORY: Files = {
  'batched/config.pbtxt': BATCHED,
  'batched/1/model.onnx': scaling(2),
  'unbatched/config.pbtxt': UNBATCHED,
  'unbatched/1/model.onnx': onnxModel(ADDING),
  'versions/config.pbtxt': VERSIONS,
  'versions/1/scaling.onnx': scaling(1),
  'versions/2/scaling.onnx': scaling(2),
  'versions/3/scaling.onnx': scaling(3),
  'labels/config.pbtxt': LABELS,
  'labels/animals.txt': 'cat\ndog\nbird\n',
  'labels/1/model.onnx': onnxModel(CLASSES),
  'reshaped/config.pbtxt': RESHAPED,
  'reshaped/warmup/ids.bin': new Uint8Array(BigInt64Array.of(1n, 2n, 3n, 4n).buffer),
  'reshaped/1/model.onnx': onnxModel(TABLE),
};

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) {
    console.error('usage: make-triton-repository FOLDER');
    process.exitCode = 2;
  } else {
    for (const [name, content] of Object.entries(TRITON_REPOSITORY)) {
      const file = path.join(folder, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, content);
    }
    console.log(folder);
  }
}
