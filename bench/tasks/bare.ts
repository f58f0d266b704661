import process from 'node:process';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { answerMessages } from '../child.ts';
import { median } from '../../src/benchmark/statistics.ts';

/**
 * A process that runs the same ONNX files as the server in bare loops, with no requests, queues or text: the most that a server on the
 * same threads could give. Arguments: the models' folder, intra-op threads.
 */

export type BareRequest =
  /** Rows of `length` tokens, `batch` at a time. */
  | { readonly kind: 'embeddings'; readonly batch: number; readonly length: number; readonly durationMs: number }
  /** Greedy steps of `batch` rows, all after a prompt of `context` tokens. */
  | { readonly kind: 'chat'; readonly batch: number; readonly context: number; readonly steps: number }
  /** Windows of 30 s, `batch` at a time: one encoder run and `tokens` decoder steps. */
  | { readonly kind: 'speech'; readonly batch: number; readonly tokens: number; readonly runs: number };

export interface BareAnswer {
  /** Rows, tokens or windows. */
  readonly perSecond: number;
  /** Of one run, step or batch of windows. */
  readonly medianMs: number;
  /** Of the prompts, for chat. */
  readonly prefillMs?: number;
}

const [modelsDir = '', threads = '1'] = process.argv.slice(2);
const sessions = new Map<string, Promise<InferenceSession>>();

function open(file: string): Promise<InferenceSession> {
  let session = sessions.get(file);
  if (session === undefined) {
    session = InferenceSession.create(`${modelsDir}/${file}`, {
      executionProviders: ['cpu'],
      intraOpNumThreads: Number(threads),
      interOpNumThreads: 1,
      executionMode: 'sequential',
    });
    sessions.set(file, session);
  }
  return session;
}

const int64 = (values: readonly number[], dims: readonly number[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), dims);
const repeat = (count: number, value: number): number[] => new Array<number>(count).fill(value);

async function embeddings(batch: number, length: number, durationMs: number): Promise<BareAnswer> {
  const session = await open('sentence-embedding/onnx/model_quantized.onnx');
  const ids = Array.from({ length: batch * length }, (_, at) => 1000 + ((at * 7919) % 20_000));
  const dims = [batch, length];
  const feeds = {
    input_ids: int64(ids, dims),
    attention_mask: int64(repeat(batch * length, 1), dims),
    token_type_ids: int64(repeat(batch * length, 0), dims),
  };
  await session.run(feeds);
  const times: number[] = [];
  const startMs = performance.now();
  while (performance.now() - startMs < durationMs) times.push(await timed(() => session.run(feeds)));
  return { perSecond: (times.length * batch * 1000) / (performance.now() - startMs), medianMs: median(times) };
}

async function chat(batch: number, context: number, steps: number): Promise<BareAnswer> {
  const session = await open('chat/onnx/model_q4.onnx');
  const pastNames = session.inputNames.filter((name) => name.startsWith('past_key_values.'));
  let past: Record<string, Tensor> = {};
  for (const name of pastNames) past[name] = new Tensor('float32', new Float32Array(0), [batch, 3, 0, 64]);
  const step = async (ids: readonly number[], from: number): Promise<void> => {
    const width = ids.length;
    const positions = Array.from({ length: batch }, () => ids.map((_, at) => from + at)).flat();
    const results = await session.run({
      input_ids: int64(Array.from({ length: batch }, () => ids).flat(), [batch, width]),
      attention_mask: int64(repeat(batch * (from + width), 1), [batch, from + width]),
      position_ids: int64(positions, [batch, width]),
      ...past,
    });
    past = {};
    for (const name of pastNames) {
      const present = results[name.replace('past_key_values', 'present')];
      if (present !== undefined) past[name] = present;
    }
  };
  const prompt = Array.from({ length: context }, (_, at) => 500 + at);
  const prefillMs = await timed(() => step(prompt, 0));
  const times: number[] = [];
  for (let index = 0; index < steps; index += 1) times.push(await timed(() => step([600 + index], context + index)));
  return { perSecond: (batch * 1000) / median(times), medianMs: median(times), prefillMs };
}

async function speech(batch: number, tokens: number, runs: number): Promise<BareAnswer> {
  const encoder = await open('transcription/onnx/encoder_model_quantized.onnx');
  const decoder = await open('transcription/onnx/decoder_model_merged_quantized.onnx');
  const features = new Tensor('float32', new Float32Array(batch * 80 * 3000).fill(0.1), [batch, 80, 3000]);
  const times: number[] = [];
  for (let run = 0; run < runs; run += 1)
    times.push(
      await timed(async () => {
        const { last_hidden_state: states } = await encoder.run({ input_features: features });
        if (states === undefined) throw new Error('the encoder gave no states');
        await decode(decoder, states, { batch, tokens });
      }),
    );
  return { perSecond: (batch * 1000) / median(times), medianMs: median(times) };
}

async function decode(
  decoder: InferenceSession,
  states: Tensor,
  { batch, tokens }: { batch: number; tokens: number },
): Promise<void> {
  const pastNames = decoder.inputNames.filter((name) => name.startsWith('past_key_values.'));
  let past: Record<string, Tensor> = {};
  for (const name of pastNames) past[name] = new Tensor('float32', new Float32Array(0), [batch, 6, 0, 64]);
  for (let token = 0; token < tokens; token += 1) {
    const first = token === 0;
    const ids = Array.from({ length: batch }, () => (first ? [50_257, 50_362] : [400 + token])).flat();
    const results = await decoder.run({
      input_ids: int64(ids, [batch, ids.length / batch]),
      encoder_hidden_states: states,
      use_cache_branch: new Tensor('bool', [!first], [1]),
      ...past,
    });
    const next: Record<string, Tensor> = {};
    for (const name of pastNames) {
      const present = results[name.replace('past_key_values', 'present')];
      // The audio's keys and values are made once.
      const kept = !first && name.includes('.encoder.') ? past[name] : present;
      if (kept !== undefined) next[name] = kept;
    }
    past = next;
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

answerMessages((request: BareRequest): Promise<BareAnswer> => {
  if (request.kind === 'embeddings') return embeddings(request.batch, request.length, request.durationMs);
  if (request.kind === 'chat') return chat(request.batch, request.context, request.steps);
  return speech(request.batch, request.tokens, request.runs);
});
