import assert from 'node:assert/strict';
import { InferenceClient } from '@huggingface/inference';
import { feature, isText, url } from './report.mjs';

const at = (model) => new InferenceClient('none', { endpointUrl: `${url}/models/${model}` });
const isScore = (score) => assert.ok(Number.isFinite(score) && score >= 0);

await feature('entities', 'token-classification', async (model) => {
  const entities = await at(model).tokenClassification({
    inputs: 'My name is Sarah Jessica Parker but you can call me Jessica',
  });
  assert.ok(entities.length > 0);
  for (const { word, score } of entities) {
    isText(word);
    isScore(score);
  }
});

await feature('zero-shot', 'zero-shot-classification', async (model) => {
  const labels = ['refund', 'legal', 'faq'];
  const classes = await at(model).zeroShotClassification({
    inputs: ['Hi, I recently bought a device from your company but it is not working as advertised!'],
    parameters: { candidate_labels: labels },
  });
  assert.deepEqual(classes.map(({ label }) => label).sort(), labels.sort());
  for (const { score } of classes) isScore(score);
});

await feature('question answering', 'question-answering', async (model) => {
  const context = 'The capital of France is Paris.';
  const inputs = { question: 'What is the capital of France?', context };
  const { answer, score, start, end } = await at(model).questionAnswering({ inputs });
  isScore(score);
  assert.equal(answer, context.slice(start, end));
});

await feature('fill-mask', 'fill-mask', async (model) => {
  const filled = await at(model).fillMask({ inputs: '[MASK] world!' });
  assert.equal(filled.length, 5);
  for (const { score, sequence } of filled) {
    isScore(score);
    isText(sequence);
  }
});

await feature('translation', 'translation', async (model) => {
  const { translation_text: text } = await at(model).translation({
    inputs: 'My name is Wolfgang and I live in Amsterdam',
  });
  isText(text);
});

await feature('summarization', 'summarization', async (model) => {
  const { summary_text: text } = await at(model).summarization({
    inputs: 'The tower is 324 metres (1,063 ft) tall, about the same height as an 81-storey building.',
    parameters: { max_length: 20 },
  });
  isText(text);
});
