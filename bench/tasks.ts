import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs, promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { formatTable, short } from '../src/benchmark/table.ts';
import { meanBatch, readRuns } from './batch-runs.ts';
import { startChild, type Child } from './child.ts';
import { startServer, type ServerProcess } from './server-process.ts';
import { median } from '../src/benchmark/statistics.ts';
import type { BareAnswer, BareRequest } from './tasks/bare.ts';
import { passGates } from './tasks/gates.ts';
import { closedLoop, loopDelayMs, postJson, streamChat, transcribe } from './tasks/measure.ts';
import type { OneByOneAnswer, OneByOneRequest } from './tasks/one-by-one.ts';
import { longRecording, mixedTexts, PROMPTS, textOfTokens } from './tasks/workload.ts';
import { messageOf } from '../src/errors.ts';

/**
 * Tasks on real models, in one run: the server against the bare loop of the same sessions, against transformers.js pipelines called one by
 * one, and against the engines made for one job. Needs the models of `--models` (sentence-embedding, chat, transcription); the others'
 * packages only where their rows are wanted: bench/README.md.
 */

const { values: flags } = parseArgs({
  options: {
    models: { type: 'string', default: fileURLToPath(new URL('../../../shared/models', import.meta.url)) },
    only: { type: 'string', default: 'embeddings,chat,gates,speech' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    threads: { type: 'string', default: '1' },
    'model-options': { type: 'string', default: '{}' },
    transformers: { type: 'string' },
    python: { type: 'string' },
  },
});
const seconds = Number(flags.seconds);
const run = promisify(execFile);

interface Bench {
  readonly server: ServerProcess;
  readonly bare: Child<BareRequest, BareAnswer>;
  readonly oneByOne: Child<OneByOneRequest, OneByOneAnswer> | undefined;
  /** Every figure of every round, by row. */
  readonly figures: Map<string, number[]>;
  /** Delay of the main thread during each load, by model. */
  readonly loopMs: Map<string, number[]>;
}

function note({ figures }: Bench, row: string, value: number): void {
  figures.set(row, [...(figures.get(row) ?? []), value]);
}

/** Scrapes, does the work, scrapes again: the work's answer, the mean batch, and the worst delay of the main thread. */
async function watched<T>(bench: Bench, model: string, work: () => Promise<T>): Promise<{ answer: T; batch: number }> {
  const before = readRuns(await bench.server.metrics(), model);
  const answer = await work();
  const text = await bench.server.metrics();
  bench.loopMs.set(model, [...(bench.loopMs.get(model) ?? []), loopDelayMs(text)]);
  const after = readRuns(text, model);
  return { answer, batch: meanBatch(before, after) };
}

async function embeddings(bench: Bench): Promise<void> {
  const url = `http://127.0.0.1:${bench.server.port}/v1/embeddings`;
  const embed = async (input: string): Promise<number> => {
    await postJson(url, { model: 'sentence-embedding', input, encoding_format: 'base64' });
    return 1;
  };
  // The server's JavaScript is slow while it is new.
  await closedLoop({ clients: 32, seconds: 2 }, () => embed(textOfTokens(16)));
  for (const length of [16, 64]) {
    const text = textOfTokens(length);
    const { answer, batch } = await watched(bench, 'sentence-embedding', () =>
      closedLoop({ clients: 32, seconds }, () => embed(text)),
    );
    const size = Math.max(1, Math.round(batch));
    const bare = await bench.bare.ask({ kind: 'embeddings', batch: size, length, durationMs: seconds * 500 });
    note(bench, `embeddings, 32 clients, ${length} tokens: texts/s`, answer.perSecond);
    note(bench, `  mean batch (${length} tokens)`, batch);
    note(bench, `  bare loop at that batch (${length} tokens): texts/s`, bare.perSecond);
    note(bench, `  ratio (${length} tokens)`, answer.perSecond / bare.perSecond);
    note(bench, `  failures (${length} tokens)`, answer.failures);
  }
  const texts = mixedTexts(256);
  const { answer } = await watched(bench, 'sentence-embedding', () =>
    closedLoop({ clients: 32, seconds }, (count) => embed(texts[count % texts.length] ?? '')),
  );
  note(bench, 'embeddings, 32 clients, 4 to 200 tokens mixed: texts/s', answer.perSecond);
  if (bench.oneByOne === undefined) return;
  const alone = await bench.oneByOne.ask({ kind: 'embeddings', texts, durationMs: seconds * 1000 });
  note(bench, '  transformers.js one by one: texts/s', alone.perSecond);
  note(bench, '  ratio to transformers.js', answer.perSecond / alone.perSecond);
}

const CHAT_TOKENS = 128;
/** What the model's own system prompt and a short question come to. */
const PROMPT_TOKENS = 40;

/** A question that nobody has asked before: of earlier ones only the system prompt is alike. */
function question(count: number): string {
  return `${count}. ${PROMPTS[count % PROMPTS.length] ?? ''}`;
}

async function chat(bench: Bench): Promise<void> {
  const url = `http://127.0.0.1:${bench.server.port}/v1/chat/completions`;
  let asked = bench.figures.size * 1000;
  const bodyOf = (max_tokens: number) => ({
    model: 'chat',
    messages: [{ role: 'user', content: question(asked++) }],
    ...{ max_tokens, temperature: 0, ignore_eos: true },
  });
  const ask = async (maxTokens: number): Promise<number> => {
    const answer = await postJson(url, bodyOf(maxTokens));
    return (answer as { usage: { completion_tokens: number } }).usage.completion_tokens;
  };
  for (const clients of [1, 8]) {
    const { answer, batch } = await watched(bench, 'chat', () =>
      closedLoop({ clients, seconds: 2 * seconds }, () => ask(CHAT_TOKENS)),
    );
    const bare = await bench.bare.ask({ kind: 'chat', batch: clients, context: PROMPT_TOKENS, steps: CHAT_TOKENS });
    note(bench, `chat, ${clients} client(s): tokens/s, prompts included`, answer.perSecond);
    note(bench, `  mean batch (${clients})`, batch);
    note(bench, `  bare steps at batch ${clients}: tokens/s`, bare.perSecond);
    note(bench, `  ratio (${clients})`, answer.perSecond / bare.perSecond);
    note(bench, `  failures (${clients})`, answer.failures);
  }
  await newcomer(bench, { url, bodyOf, ask });
  if (bench.oneByOne === undefined) return;
  const prompts = Array.from({ length: 3 }, () => question(asked++));
  const alone = await bench.oneByOne.ask({ kind: 'chat', prompts, maxTokens: CHAT_TOKENS });
  const eight = bench.figures.get('chat, 8 client(s): tokens/s, prompts included')?.at(-1) ?? 0;
  note(bench, '  transformers.js one by one: tokens/s', alone.perSecond);
  note(bench, '  ratio of 8 clients to transformers.js', eight / alone.perSecond);
}

interface ChatClient {
  readonly url: string;
  readonly bodyOf: (maxTokens: number) => object;
  readonly ask: (maxTokens: number) => Promise<number>;
}

/** Seven talk, an eighth comes: its first token against two of their steps and its own prompt. */
async function newcomer(bench: Bench, { url, bodyOf, ask }: ChatClient): Promise<void> {
  const busy = Promise.all(Array.from({ length: 7 }, () => ask(2 * CHAT_TOKENS)));
  // Until their prompts are done.
  await new Promise((resolve) => setTimeout(resolve, 4000));
  const { firstMs, gapsMs } = await streamChat(url, bodyOf(24));
  await busy;
  const bare = await bench.bare.ask({ kind: 'chat', batch: 1, context: PROMPT_TOKENS, steps: 4 });
  const allowedMs = 2 * median(gapsMs) + (bare.prefillMs ?? 0);
  note(bench, 'newcomer among 7: ms to its first token', firstMs);
  note(bench, '  a step of the 8, as it sees them: ms', median(gapsMs));
  note(bench, '  its whole prompt in a bare run: ms', bare.prefillMs ?? 0);
  note(bench, '  ratio to two steps and its prompt', firstMs / allowedMs);
}

/** Gates for a chat server; printed, not asserted. */
async function gates(bench: Bench): Promise<void> {
  let asked = bench.figures.size * 1000;
  const client = {
    url: `http://127.0.0.1:${bench.server.port}/v1/chat/completions`,
    bodyOf: (max_tokens: number, promptTokens = 0) => ({
      model: 'chat',
      // A text of English words has about as many tokens here as for BERT.
      messages: [{ role: 'user', content: `${question(asked++)} ${textOfTokens(promptTokens + 2, asked)}` }],
      ...{ max_tokens, temperature: 0, ignore_eos: true },
    }),
    metrics: () => bench.server.metrics(),
  };
  await passGates(client, (row, value) => {
    note(bench, row, value);
  });
}

const SPEECH_TOKENS = 27;

async function speech(bench: Bench): Promise<void> {
  const url = `http://127.0.0.1:${bench.server.port}/v1/audio/transcriptions`;
  const file = `${flags.models}/transcription/sample.wav`;
  const sample = new Uint8Array(readFileSync(file));
  const { answer, batch } = await watched(bench, 'transcription', () =>
    closedLoop({ clients: 4, seconds }, async () => {
      await transcribe(url, sample);
      return 1;
    }),
  );
  const size = Math.max(1, Math.min(4, Math.round(batch)));
  const bare = await bench.bare.ask({ kind: 'speech', batch: size, tokens: SPEECH_TOKENS, runs: 3 });
  note(bench, 'transcription, 4 clients, clips of 11 s: clips/s', answer.perSecond);
  note(bench, '  mean batch (speech)', batch);
  note(bench, '  bare encoder and decoder at that batch: clips/s', bare.perSecond);
  note(bench, '  ratio (speech)', answer.perSecond / bare.perSecond);
  if (bench.oneByOne !== undefined) {
    const alone = await bench.oneByOne.ask({ kind: 'speech', file, count: 4 });
    note(bench, '  transformers.js one by one: clips/s', alone.perSecond);
    note(bench, '  ratio to transformers.js (speech)', answer.perSecond / alone.perSecond);
  }
  const { wav, seconds: audioSeconds } = longRecording(sample);
  const startMs = performance.now();
  const { answer: text } = await watched(bench, 'transcription', () => transcribe(url, wav));
  const ours = (audioSeconds * 1000) / (performance.now() - startMs);
  note(bench, '10 minutes in one file: times real time', ours);
  note(bench, '  words', text.split(/\s+/).length);
}

/** The engines made for one job: once, because each takes a while. */
async function engines(bench: Bench): Promise<void> {
  if (flags.python === undefined) return;
  const script = fileURLToPath(new URL('../../bench/tasks/engines.py', import.meta.url));
  const ask = async (...args: string[]): Promise<Record<string, number>> =>
    JSON.parse((await run(flags.python ?? '', [script, ...args])).stdout) as Record<string, number>;
  if (flags.only.includes('speech')) {
    const folder = mkdtempSync(path.join(tmpdir(), 'carpool-bench-'));
    const file = path.join(folder, 'long.wav');
    writeFileSync(file, longRecording(new Uint8Array(readFileSync(`${flags.models}/transcription/sample.wav`))).wav);
    for (const batch of ['1', '8']) {
      const { realTime = 0, words = 0 } = await ask('speech', file, batch);
      note(bench, `faster-whisper int8, batch ${batch}, 10 minutes: times real time`, realTime);
      note(bench, `  words (batch ${batch})`, words);
    }
    rmSync(folder, { recursive: true });
  }
  if (flags.only.includes('chat')) {
    const { perSecond = 0 } = await ask('chat', '128');
    note(bench, 'llama.cpp, one stream: tokens/s', perSecond);
  }
}

function print({ figures, loopMs }: Bench, lanes: string): void {
  console.log(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.version}; lanes: ${lanes}\n` +
      `${flags.rounds} rounds, loads of ${flags.seconds} s, everything on ${flags.threads} intra-op thread(s); MODEL_OPTIONS ${flags['model-options']}\n`,
  );
  const rows = [...figures].map(([row, values]) => [row, short(median(values)), values.map(short).join('  ')]);
  for (const [model, delays] of loopMs)
    rows.push([`event-loop delay, p99, ms: ${model}`, short(median(delays)), delays.map(short).join('  ')]);
  console.log(formatTable(['', 'median', 'rounds'], rows));
}

/** The model of each part. */
const PARTS: Readonly<Record<string, string>> = {
  embeddings: 'sentence-embedding',
  chat: 'chat',
  gates: 'chat',
  speech: 'transcription',
};

async function main(): Promise<void> {
  const parts = flags.only.split(',');
  const unknown = parts.find((part) => PARTS[part] === undefined);
  if (unknown !== undefined) throw new Error(`--only: no part ${unknown}; there are ${Object.keys(PARTS).join(', ')}`);
  const bare = startChild<BareRequest, BareAnswer>('./tasks/bare.js', [flags.models, flags.threads]);
  const oneByOne =
    flags.transformers === undefined
      ? undefined
      : startChild<OneByOneRequest, OneByOneAnswer>('./tasks/one-by-one.js', [
          flags.transformers,
          flags.models,
          flags.threads,
        ]);
  let server: ServerProcess | undefined;
  try {
    server = await startServer({
      MODELS_DIR: flags.models,
      MODELS: [...new Set(parts.map((part) => PARTS[part]))].join(','),
      MODEL_OPTIONS: flags['model-options'],
      LANES: '1',
      LANE_THREADS: flags.threads,
    });
    const bench: Bench = { server, bare, oneByOne, figures: new Map(), loopMs: new Map() };
    for (let round = 0; round < Number(flags.rounds); round += 1) {
      if (flags.only.includes('embeddings')) await embeddings(bench);
      if (flags.only.includes('chat')) await chat(bench);
      if (flags.only.includes('gates')) await gates(bench);
      if (flags.only.includes('speech')) await speech(bench);
    }
    const lanes = await server.lanes();
    await server.stop();
    server = undefined;
    await engines(bench);
    print(bench, lanes);
  } finally {
    await Promise.all([bare.stop(), oneByOne?.stop(), server?.stop()]);
  }
}

try {
  await main();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
