import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Item, Reply } from '../../src/tasks/task.ts';
import { CLIENTS, findClient, tryClient, type Server } from '../../tools/clients/table.ts';
import { ears, mouth, painter } from '../http/openai-stubs.ts';
import { startStubServer, type StubModel, type StubServer } from '../http/stub-services.ts';
import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Clients nobody here wrote, as their documentation uses them first, against the real server without models. docs/clients.md has the same with models. */

interface Chat {
  readonly messages?: unknown;
  readonly tools?: readonly { readonly function: { readonly name: string } }[];
  readonly tool_choice?: unknown;
}

/** Says what is asked for: a call of the first tool, a recipe, or a sentence. */
const talker: StubModel = {
  name: 'talker',
  task: 'chat',
  serve: (item, { emit }) => {
    const { tools = [], tool_choice: choice = 'auto' } = valueOf(item) as Chat;
    const counts = { prompt_tokens: 9, completion_tokens: 8, token_ids: [] };
    const [tool] = tools;
    if (tool !== undefined && choice !== 'auto' && choice !== 'none') {
      const call = { name: tool.function.name, arguments: '{"location":"Paris"}' };
      const calls = [{ id: 'call_1', type: 'function', function: call }];
      emit({ text: '', token_ids: [], tool_calls: calls.map((one, index) => ({ index, ...one })) });
      return Promise.resolve({ json: { text: '', finish_reason: 'tool_calls', tool_calls: calls, ...counts } });
    }
    const isRecipe = JSON.stringify(item).includes('steps');
    const text = isRecipe ? '{"name":"Lasagna","steps":["Bake."]}' : 'The capital of France is Paris.';
    for (const word of text.split(/(?= )/)) emit({ text: word, token_ids: [1] });
    return Promise.resolve({ json: { text, finish_reason: 'stop', ...counts } });
  },
};

/** Texts with the same pairs of letters are near each other. */
const vectors: StubModel = {
  name: 'vectors',
  task: 'embeddings',
  isPlain: true,
  serve: (item) => {
    const vector = new Float32Array(64);
    const text = String(valueOf(item));
    for (let at = 0; at + 1 < text.length; at += 1) {
      const place = (text.charCodeAt(at) * 31 + text.charCodeAt(at + 1)) % vector.length;
      vector[place] = (vector[place] ?? 0) + 1;
    }
    const length = Math.hypot(...vector) || 1;
    const base64 = Buffer.from(vector.map((one) => one / length).buffer).toString('base64');
    return Promise.resolve({ json: { embedding: base64, tokens: 4 } });
  },
};

const ranker: StubModel = {
  name: 'ranker',
  task: 'reranking',
  isPlain: true,
  serve: (item): Promise<Reply> => {
    const value = valueOf(item);
    // A pair, as TEI's /predict sends it, is classified.
    if (Array.isArray(value)) return Promise.resolve({ json: [{ label: 'LABEL_0', score: 0.5 }] });
    const { text = '' } = value as { text?: string };
    return Promise.resolve({ json: { score: text.length / 1000, tokens: 9 } });
  },
};

/** Hears a bell in every sound. */
const listener: StubModel = {
  name: 'listener',
  task: 'audio-classification',
  serve: ({ parameters }) => {
    const classes = [
      { label: 'bell', score: 0.75 },
      { label: 'rain', score: 0.25 },
    ];
    const { top_k: count = classes.length } = parameters ?? {};
    return Promise.resolve({ json: classes.slice(0, Number(count)) });
  },
};

function valueOf(item: Item): unknown {
  return item.kind === 'json' ? item.value : undefined;
}

let stub: StubServer;
let server: Server;
let folder = '';
before(async () => {
  stub = await startStubServer([talker, vectors, ranker, ears, listener, mouth, painter]);
  folder = await mkdtemp(join(tmpdir(), 'carpool-clients-'));
  const sample = join(folder, 'sample.wav');
  await writeFile(sample, Buffer.alloc(100));
  const models = {
    ...{ chat: 'talker', embeddings: 'vectors', reranking: 'ranker', infill: 'talker' },
    ...{ transcription: 'ears', 'audio-classification': 'listener', 'text-to-image': 'painter' },
    'text-to-speech': 'mouth',
  };
  server = { url: stub.url, models, sample };
});
after(async () => {
  await stub[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

for (const client of CLIENTS) {
  const installed = findClient(client);
  const skip = installed === undefined ? `${client.needs ?? ''} is not installed: see tools/clients/README.md` : false;
  test(`${client.title}: what its documentation does first`, { skip, timeout: 300_000 }, async () => {
    assert.ok(installed);
    const features = await tryClient(client, installed, server);
    assert.deepEqual(
      features.filter(({ ok }) => ok === false),
      [],
    );
    assert.ok(features.every(({ skipped }) => skipped === undefined));
  });
}
