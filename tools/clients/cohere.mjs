import assert from 'node:assert/strict';
import { CohereClientV2 } from 'cohere-ai';
import { areVectors, feature, url } from './report.mjs';

const cohere = new CohereClientV2({ token: 'none', environment: url, maxRetries: 0 });

await feature('rerank', 'reranking', async (model) => {
  const documents = [
    'Carson City is the capital city of Nevada.',
    'Washington, D.C. is the capital of the United States.',
  ];
  const query = 'What is the capital of the United States?';
  const { results } = await cohere.rerank({ model, query, documents, topN: 2 });
  assert.deepEqual(results.map(({ index }) => index).sort(), [0, 1]);
  assert.ok(results[0].relevanceScore >= results[1].relevanceScore);
});

await feature('embeddings', 'embeddings', async (model) => {
  const { embeddings } = await cohere.embed({
    ...{ model, texts: ['hello', 'goodbye'], inputType: 'classification', embeddingTypes: ['float'] },
  });
  areVectors(embeddings.float, 2);
});
