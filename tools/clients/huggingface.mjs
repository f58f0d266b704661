import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { InferenceClient } from '@huggingface/inference';
import { areVectors, feature, isAudio, isText, joined, sample, url } from './report.mjs';

const at = (path) => new InferenceClient('none', { endpointUrl: `${url}${path}` });
const messages = [{ role: 'user', content: 'What is the capital of France?' }];

await feature('chat', 'chat', async (model) => {
  isText((await at('/v1').chatCompletion({ model, messages })).choices[0].message.content);
});

await feature('stream', 'chat', async (model) => {
  const stream = at('/v1').chatCompletionStream({ model, messages });
  isText(await joined(stream, (chunk) => chunk.choices[0]?.delta?.content));
});

await feature('embeddings', 'embeddings', async () => {
  areVectors(await at('/embed').featureExtraction({ inputs: ['That is a happy person', 'A person'] }), 2);
});

await feature('similarity', 'embeddings', async () => {
  const inputs = {
    source_sentence: 'That is a happy person',
    sentences: ['That is a happy dog', 'Today is a sunny day'],
  };
  const scores = await at('/similarity').sentenceSimilarity({ inputs });
  assert.ok(scores.length === 2 && scores[0] > scores[1]);
});

await feature('transcription', 'transcription', async (model) => {
  const inputs = new Blob([await readFile(sample)], { type: 'audio/wav' });
  isText((await at(`/models/${model}`).automaticSpeechRecognition({ inputs })).text);
});

await feature('audio classification', 'audio-classification', async (model) => {
  const inputs = new Blob([await readFile(sample)], { type: 'audio/wav' });
  const classes = await at(`/models/${model}`).audioClassification({ inputs });
  assert.ok(classes.length > 1 && classes[0].score >= classes[1].score);
});

await feature('speech', 'text-to-speech', async (model) => {
  const blob = await at(`/models/${model}`).textToSpeech({ inputs: 'Hello world!' });
  isAudio(new Uint8Array(await blob.arrayBuffer()));
});
