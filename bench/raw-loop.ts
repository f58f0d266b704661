import process from 'node:process';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { ascending, percentile } from '../load-tests/runner/samples.ts';
import { randomNumbers } from '../tools/make-mlp.ts';
import { answerMessages } from './child.ts';

/** A process that runs a model in a bare loop: the most a server on the same threads could give. Arguments: file, intra-op threads. */

export interface RawRequest {
  readonly batch: number;
  readonly durationMs: number;
}
export interface RawAnswer {
  readonly runs: number;
  readonly meanMs: number;
  readonly medianMs: number;
}

const [file = '', threads = '1'] = process.argv.slice(2);
const session = InferenceSession.create(file, {
  executionProviders: ['cpu'],
  intraOpNumThreads: Number(threads),
  interOpNumThreads: 1,
  executionMode: 'sequential',
});
const random = randomNumbers(1);

answerMessages(async ({ batch, durationMs }: RawRequest): Promise<RawAnswer> => {
  const model = await session;
  const feeds = makeFeeds(model, batch);
  await model.run(feeds);
  const times: number[] = [];
  const startMs = performance.now();
  let nowMs = startMs;
  do {
    const beforeMs = nowMs;
    await model.run(feeds);
    nowMs = performance.now();
    times.push(nowMs - beforeMs);
  } while (nowMs - startMs < durationMs);
  return {
    runs: times.length,
    meanMs: (nowMs - startMs) / times.length,
    medianMs: percentile(ascending(times), 50),
  };
});

/** Random inputs; the first dimension is the batch. Throws a plain Error on a model that needs more than that. */
function makeFeeds(model: InferenceSession, batch: number): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const input of model.inputMetadata) {
    if (!input.isTensor) throw new Error(`input ${input.name} is not a tensor`);
    const dims = input.shape.map((dimension, axis) => (axis === 0 ? batch : dimension));
    if (!dims.every((dimension) => typeof dimension === 'number'))
      throw new Error(`input ${input.name} has free dimensions beside the batch`);
    const count = dims.reduce((product, dimension) => product * dimension, 1);
    const values = Array.from({ length: count }, () => random());
    if (input.type === 'float32') feeds[input.name] = new Tensor('float32', Float32Array.from(values), dims);
    else if (input.type === 'float64') feeds[input.name] = new Tensor('float64', Float64Array.from(values), dims);
    else throw new Error(`input ${input.name} is ${input.type}; the bare loop knows float32 and float64`);
  }
  return feeds;
}
