import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { areVectors, feature, isAudio, isText, sample, url } from './report.mjs';

/** Requests of programs that cannot be installed as packages, as those programs send them. */

async function ask(path, init = {}) {
  const response = await fetch(url + path, { headers: { Authorization: 'Bearer none' }, ...init });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response;
}
function post(path, body) {
  const headers = { 'Content-Type': 'application/json', Authorization: 'Bearer none' };
  return ask(path, { method: 'POST', headers, body: JSON.stringify(body) });
}
const json = async (path, body) => (await post(path, body)).json();
const events = async (path, body) => {
  const text = await (await post(path, body)).text();
  const lines = text.split('\n').filter((line) => line.startsWith('data: {'));
  return lines.map((line) => JSON.parse(line.slice('data: '.length)));
};
const messages = [{ role: 'user', content: 'What is the capital of France?' }];
const textOf = (chunks) => chunks.map(({ choices: [choice] }) => choice?.delta?.content ?? choice?.text ?? '').join('');
const QUERY = 'What is the capital of the United States?';
const TEXTS = ['Carson City is the capital city of Nevada.', 'Washington, D.C. is the capital of the United States.'];

await feature('Open WebUI: models, chat', 'chat', async (model) => {
  const { data } = await (await ask('/v1/models')).json();
  assert.ok(data.some(({ id }) => id === model));
  const chunks = await events('/v1/chat/completions', {
    model,
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  isText(textOf(chunks));
  assert.ok(chunks.at(-1).usage.total_tokens > 0);
});

await feature('Open WebUI: embeddings', 'embeddings', async (model) => {
  const { data } = await json('/v1/embeddings', { input: ['one', 'two'], model });
  areVectors(
    data.map(({ embedding }) => embedding),
    2,
  );
});

await feature('Open WebUI: reranking', 'reranking', async (model) => {
  const { results } = await json('/v1/rerank', { model, query: QUERY, documents: TEXTS, top_n: 2 });
  assert.ok(results.length === 2 && results.every(({ relevance_score: score }) => Number.isFinite(score)));
});

await feature('Open WebUI: transcription', 'transcription', async (model) => {
  const form = new FormData();
  form.append('model', model);
  form.append('file', new Blob([await readFile(sample)], { type: 'audio/wav' }), 'a.wav');
  isText((await (await ask('/v1/audio/transcriptions', { method: 'POST', body: form })).json()).text);
});

await feature('Open WebUI: speech', 'text-to-speech', async (model) => {
  // Its default body: the voice of its settings, and no format.
  const reply = await post('/v1/audio/speech', { model, input: 'Good morning.', voice: 'alloy' });
  assert.match(reply.headers.get('content-type'), /^audio\//);
  isAudio(new Uint8Array(await reply.arrayBuffer()));
});

await feature('Open WebUI: images', 'text-to-image', async (model) => {
  const body = { model, prompt: 'a handwritten three', n: 1, size: '32x32', response_format: 'b64_json' };
  isText((await json('/v1/images/generations', body)).data[0].b64_json);
});

await feature('Continue: chat, completion', 'chat', async (model) => {
  const body = { model, max_tokens: 16, stream: true, stream_options: { include_usage: true } };
  isText(textOf(await events('/v1/chat/completions', { ...body, messages })));
  isText(textOf(await events('/v1/completions', { ...body, prompt: 'Once upon a time' })));
});

await feature('Continue: fill in the middle', 'infill', async (model) => {
  const sampling = { max_tokens: 16, temperature: 0.1, top_p: 1, frequency_penalty: 0, presence_penalty: 0 };
  isText(
    textOf(await events('/v1/fim/completions', { model, prompt: 'def f(', suffix: '):', ...sampling, stream: true })),
  );
});

await feature('Salad provider: usage where it ends', 'chat', async (model) => {
  const chunks = await events('/v1/chat/completions', { model, messages, stream: true });
  const last = chunks.find(({ choices: [choice] }) => choice?.finish_reason);
  assert.ok(last.usage.total_tokens > last.usage.prompt_tokens);
});

await feature('TEI recipe: embeddings', 'embeddings', async () => {
  areVectors(await json('/embed', { inputs: TEXTS }), 2);
  const { data } = await json('/v1/embeddings', { input: TEXTS, model: 'text-embeddings-inference' });
  areVectors(
    data.map(({ embedding }) => embedding),
    2,
  );
  const scores = await json('/similarity', { inputs: { source_sentence: QUERY, sentences: TEXTS } });
  assert.equal(scores.length, 2);
  for (const path of ['/info', '/docs', '/health']) await ask(path);
});

await feature('TEI recipe: reranking', 'reranking', async () => {
  assert.equal((await json('/rerank', { query: QUERY, texts: TEXTS })).length, 2);
  const predicted = await json('/predict', { inputs: TEXTS.map((text) => [QUERY, text]) });
  assert.ok(predicted.length === 2 && predicted.every(([{ label, score }]) => label && Number.isFinite(score)));
});
