import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { formatTable } from '../src/benchmark/table.ts';
import { operationNamed } from '../src/dialects/operations.ts';
import type { ItemsOperation, TensorModel, TensorsOperation } from '../src/dialects/shared/operation.ts';
import { createTensorsTask } from '../src/tasks/tensors/task.ts';
import { float32, type Signature } from '../src/tensors/tensor.ts';
import { randomNumbers } from '../tools/make-mlp.ts';
import { makePayload, type BenchDialect } from './payload.ts';
import { median } from '../src/benchmark/statistics.ts';

/** What bodies cost to decode and answers to encode, in time and in memory, on one thread and without a server: bench/README.md. */

const ROUNDS = 7;
const ROUND_MS = 60;
/** Iterations whose memory is counted: few enough that no collection comes between. */
const COUNTED = 16;
const EMBEDDING_SIZE = 384;
const HEAD = { id: 'id', model: 'm', version: '1', created: 0 };

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

interface Case {
  readonly name: string;
  readonly run: () => unknown;
}

/** An MLP's signature: `width` floats in, 10 out. */
function modelOf(width: number): TensorModel {
  const signature: Signature = {
    batchable: true,
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, width], batchAxis: 0 }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 10], batchAxis: 0 }],
  };
  return { name: 'm', version: '1', maxItems: 64, signature };
}

function floats(count: number, seed: number): Float32Array {
  const random = randomNumbers(seed);
  return Float32Array.from({ length: count }, () => 2 * random() - 1);
}

async function tensorCases(width: number): Promise<Case[]> {
  const model = modelOf(width);
  const payload = (dialect: BenchDialect) =>
    makePayload({ name: 'mlp', inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, width] }] }, dialect);
  const infer = operationNamed('oip.infer') as TensorsOperation;
  const predict = operationNamed('native.predict') as ItemsOperation;
  const { signature } = model;
  const task = await createTensorsTask({
    key: 'm',
    model: 'm',
    task: 'tensors',
    folder: '/',
    weights: '/',
    files: {},
    signature,
    options: {},
  });
  const outputs = [float32([1, 10], floats(10, 3))];
  const oip = (dialect: BenchDialect): Case[] => {
    const { body, headers } = payload(dialect);
    const context = { itemLimit: 10_000, jsonLength: headers['inference-header-content-length'] };
    const request = infer.decode(body, context, model);
    return [
      { name: `${dialect}, ${width} floats: decode`, run: () => infer.decode(body, context, model) },
      { name: `${dialect}, 10 floats: encode`, run: () => infer.encode(request, outputs, model) },
    ];
  };
  const { body } = payload('native');
  const context = { contentType: 'application/json', itemLimit: 10_000, floatRow: task.floatRow };
  const decodeNative = (): unknown => {
    const { items } = predict.decode(body, context) as ReturnType<typeof predict.decode> & { items: readonly never[] };
    return items.map((item) => task.prepare(item));
  };
  const form = { kind: 'single', raw: false };
  return [
    ...oip('oip-json'),
    ...oip('oip-binary'),
    { name: `native, ${width} floats: decode and prepare`, run: decodeNative },
    {
      name: 'native, 10 floats: finish and encode',
      run: () =>
        predict.encode([{ ok: true, reply: task.finish({ y: outputs[0] as never }, undefined) as never }], form, HEAD),
    },
  ];
}

function textCases(count: number): Case[] {
  const texts = Array.from({ length: count }, (_, index) => `Der schnelle braune Fuchs springt zum ${index}. Mal.`);
  const vector = floats(EMBEDDING_SIZE, 4);
  const base64 = Buffer.from(vector.buffer).toString('base64');
  const results = texts.map(() => ({ ok: true as const, reply: { json: { embedding: base64, tokens: 12 } } }));
  const context = { contentType: 'application/json', itemLimit: 10_000 };
  const make = (name: string, value: unknown, options: unknown): Case[] => {
    const operation = operationNamed(name) as ItemsOperation;
    const body = Buffer.from(JSON.stringify(value));
    const label = `${name}${JSON.stringify(options)}, ${count} text(s)`;
    return [
      { name: `${label}: decode`, run: () => operation.decode(body, context) },
      { name: `${label}: encode`, run: () => operation.encode(results, options, HEAD) },
    ];
  };
  return [
    ...make('openai.embeddings', { input: texts, model: 'm' }, { encoding: 'float', isList: true }),
    ...make('openai.embeddings', { input: texts, encoding_format: 'base64' }, { encoding: 'base64', isList: true }),
    ...make('tei.embed', { inputs: texts }, {}),
  ];
}

/** Microseconds of processor time a call, garbage collection included: the least of the rounds, because other work on the machine only adds. */
function timeOf({ run }: Case): number {
  let least = Infinity;
  for (let round = 0; round <= ROUNDS; round += 1) {
    const startMs = performance.now();
    const start = process.cpuUsage();
    let calls = 0;
    for (; performance.now() - startMs < ROUND_MS; calls += 1) run();
    const { user, system } = process.cpuUsage(start);
    // The first round warms the code up.
    if (round > 0) least = Math.min(least, (user + system) / calls);
  }
  return least;
}

/** Bytes a call leaves to the collector, in V8's heap and beside it. */
function bytesOf({ run }: Case): number {
  const used = (): number => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const rounds = Array.from({ length: ROUNDS }, () => {
    collect();
    const before = used();
    for (let call = 0; call < COUNTED; call += 1) run();
    return (used() - before) / COUNTED;
  });
  return median(rounds);
}

const wanted = process.argv[2] ?? '';
const tensors = await Promise.all([4, 620, 768, 784, 150_528].map(tensorCases));
const cases = [...tensors.flat(), ...[1, 32, 1000].flatMap(textCases)];
const rows = cases
  .filter(({ name }) => name.includes(wanted))
  .map((one) => [one.name, timeOf(one).toFixed(1), (bytesOf(one) / 1024).toFixed(1)]);
console.log(formatTable(['', 'us', 'KiB'], rows));
