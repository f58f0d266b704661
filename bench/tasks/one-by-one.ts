import { readFileSync } from 'node:fs';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { answerMessages } from '../child.ts';
import { samplesOf } from './workload.ts';

/**
 * A process that does the same work with transformers.js pipelines, one call after the other, as an application without a server would.
 * Arguments: the package's entry file, the models' folder, intra-op threads. The package is not a dependency of this project.
 */

export type OneByOneRequest =
  | { readonly kind: 'embeddings'; readonly texts: readonly string[]; readonly durationMs: number }
  | { readonly kind: 'chat'; readonly prompts: readonly string[]; readonly maxTokens: number }
  | { readonly kind: 'speech'; readonly file: string; readonly count: number };

export interface OneByOneAnswer {
  /** Texts, tokens or files. */
  readonly perSecond: number;
}

type Pipeline = (input: unknown, options: object) => Promise<unknown>;
interface Transformers {
  readonly env: { localModelPath: string; allowRemoteModels: boolean };
  readonly pipeline: (task: string, model: string, options: object) => Promise<Pipeline>;
}

const [entry = '', modelsDir = '', threads = '1'] = process.argv.slice(2);
const pipelines = new Map<string, Promise<Pipeline>>();

async function pipelineOf(task: string, model: string, dtype: string): Promise<Pipeline> {
  const { env, pipeline } = (await import(pathToFileURL(entry).href)) as Transformers;
  env.localModelPath = modelsDir;
  env.allowRemoteModels = false;
  let made = pipelines.get(model);
  if (made === undefined) {
    const session_options = { intraOpNumThreads: Number(threads), interOpNumThreads: 1 };
    pipelines.set(model, (made = pipeline(task, model, { dtype, session_options })));
  }
  return made;
}

async function embeddings(texts: readonly string[], durationMs: number): Promise<OneByOneAnswer> {
  const embed = await pipelineOf('feature-extraction', 'sentence-embedding', 'q8');
  const options = { pooling: 'mean', normalize: true };
  await embed(texts[0], options);
  let done = 0;
  const startMs = performance.now();
  while (performance.now() - startMs < durationMs) {
    await embed(texts[done % texts.length], options);
    done += 1;
  }
  return { perSecond: (done * 1000) / (performance.now() - startMs) };
}

async function chat(prompts: readonly string[], maxTokens: number): Promise<OneByOneAnswer> {
  const generate = await pipelineOf('text-generation', 'chat', 'q4');
  const options = { max_new_tokens: maxTokens, min_new_tokens: maxTokens, do_sample: false };
  const startMs = performance.now();
  for (const prompt of prompts) await generate([{ role: 'user', content: prompt }], options);
  return { perSecond: (prompts.length * maxTokens * 1000) / (performance.now() - startMs) };
}

async function speech(file: string, count: number): Promise<OneByOneAnswer> {
  const transcribe = await pipelineOf('automatic-speech-recognition', 'transcription', 'q8');
  const bytes = Buffer.from(samplesOf(readFileSync(file)));
  const samples = Float32Array.from({ length: bytes.length >> 1 }, (_, at) => bytes.readInt16LE(2 * at) / 32_768);
  await transcribe(samples, {});
  const startMs = performance.now();
  for (let done = 0; done < count; done += 1) await transcribe(samples, {});
  return { perSecond: (count * 1000) / (performance.now() - startMs) };
}

answerMessages((request: OneByOneRequest): Promise<OneByOneAnswer> => {
  if (request.kind === 'embeddings') return embeddings(request.texts, request.durationMs);
  if (request.kind === 'chat') return chat(request.prompts, request.maxTokens);
  return speech(request.file, request.count);
});
