import assert from 'node:assert/strict';
import { CohereClient, CohereClientV2 } from 'cohere-ai';
import { areVectors, feature, isText, url } from './report.mjs';

const cohere = new CohereClientV2({ token: 'none', environment: url, maxRetries: 0 });
const older = new CohereClient({ token: 'none', environment: url, maxRetries: 0 });
const documents = [
  'Carson City is the capital city of Nevada.',
  'Washington, D.C. is the capital of the United States.',
];
const query = 'What is the capital of the United States?';

await feature('rerank', 'reranking', async (model) => {
  const { results } = await cohere.rerank({ model, query, documents, topN: 2 });
  assert.deepEqual(results.map(({ index }) => index).sort(), [0, 1]);
  assert.ok(results[0].relevanceScore >= results[1].relevanceScore);
});

await feature('rerank of version 1', 'reranking', async (model) => {
  const { results } = await older.rerank({ model, query, documents, returnDocuments: true });
  assert.deepEqual(results.map(({ document }) => document.text).sort(), documents);
});

await feature('embeddings', 'embeddings', async (model) => {
  const { embeddings } = await cohere.embed({
    ...{
      model,
      texts: ['hello', 'goodbye'],
      inputType: 'classification',
      embeddingTypes: ['float', 'int8', 'ubinary'],
    },
  });
  areVectors(embeddings.float, 2);
  assert.equal(embeddings.ubinary[0].length, embeddings.float[0].length / 8);
});

await feature('embeddings of version 1', 'embeddings', async (model) => {
  const { embeddings } = await older.embed({ model, texts: ['hello', 'goodbye'], inputType: 'search_query' });
  areVectors(embeddings, 2);
});

await feature('an unknown model', 'embeddings', async () => {
  const asked = { model: 'nobody', texts: ['hello'], inputType: 'search_query', embeddingTypes: ['float'] };
  const error = await cohere.embed(asked).then(
    () => undefined,
    (one) => one,
  );
  assert.equal(error?.statusCode, 404);
  isText(error.body.message);
});
