import process from 'node:process';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { ascending, percentile } from '../src/benchmark/statistics.ts';
import { randomNumbers } from '../tools/make-mlp.ts';
import { answerMessages } from './child.ts';
import { type BenchInput, fillInput, toTyped } from './inputs.ts';

/** A process that runs a model in a bare loop: the most a server on the same threads could give. Arguments: file, intra-op threads, inputs as JSON. */

export interface RawRequest {
  readonly batch: number;
  readonly durationMs: number;
}
export interface RawAnswer {
  readonly runs: number;
  readonly meanMs: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly cpuSeconds: number;
}

const [file = '', threads = '1', inputsText = '[]'] = process.argv.slice(2);
const inputs = JSON.parse(inputsText) as readonly BenchInput[];
const session = InferenceSession.create(file, {
  executionProviders: ['cpu'],
  intraOpNumThreads: Number(threads),
  interOpNumThreads: 1,
  executionMode: 'sequential',
});
const random = randomNumbers(1);

answerMessages(async ({ batch, durationMs }: RawRequest): Promise<RawAnswer> => {
  const model = await session;
  const feeds = makeFeeds(batch);
  await model.run(feeds);
  const times: number[] = [];
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  let nowMs = startMs;
  do {
    const beforeMs = nowMs;
    await model.run(feeds);
    nowMs = performance.now();
    times.push(nowMs - beforeMs);
  } while (nowMs - startMs < durationMs);
  const { user, system } = process.cpuUsage(cpuBefore);
  const sorted = ascending(times);
  return {
    runs: times.length,
    meanMs: (nowMs - startMs) / times.length,
    medianMs: percentile(sorted, 50),
    p99Ms: percentile(sorted, 99),
    cpuSeconds: (user + system) / 1e6,
  };
});

function makeFeeds(batch: number): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const input of inputs) {
    const filled = fillInput(input, batch, random);
    const values = toTyped(filled);
    if (values instanceof Float32Array) feeds[input.name] = new Tensor('float32', values, filled.shape);
    else if (values instanceof Float64Array) feeds[input.name] = new Tensor('float64', values, filled.shape);
    else feeds[input.name] = new Tensor('int64', values, filled.shape);
  }
  return feeds;
}
