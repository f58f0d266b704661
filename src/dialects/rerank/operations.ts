import { OPENAI } from '../openai/dialect.ts';
import { modelsFor } from '../openai/operations.ts';
import { hasField } from '../shared/json-body.ts';
import type { ItemsOperation, Operation } from '../shared/operation.ts';
import { TEXT_OPERATION } from '../shared/text-operation.ts';
import {
  decodeRerankByVectors,
  decodeScoreByVectors,
  encodeRerankByVectors,
  encodeScoreByVectors,
  type VectorScoreOptions,
} from './by-vectors.ts';
import { RANKING_ANSWER, RERANK_BODY, decodeRerank, encodeRerank, type RerankOptions } from './rerank.ts';
import { SCORE_ANSWER, SCORE_BODY, decodeScore, encodeScore, type ScoreOptions } from './score.ts';

/** The paths are those of Jina and of Cohere's first version, and (for `documents` instead of `texts`) of TEI, as in vLLM. Errors are OpenAI's. */
const RERANK: ItemsOperation<RerankOptions> = {
  ...TEXT_OPERATION,
  name: 'openai.rerank',
  about: {
    summary: 'Orders documents by how well they answer a query',
    body: RERANK_BODY,
    answer: RANKING_ANSWER,
    example: { query: 'Where is the station?', documents: ['In the town.', 'It rains.'] },
  },
  dialect: OPENAI,
  paths: ['/v1/rerank'],
  sharesPaths: { of: 'tei.rerank', owns: (body) => hasField(body, 'documents', { without: ['texts'] }) },
  models: modelsFor('reranking'),
  decode: decodeRerank,
  encode: encodeRerank,
};

const RERANK_BY_VECTORS: ItemsOperation<RerankOptions> = {
  ...RERANK,
  name: 'openai.rerankByVectors',
  paths: [],
  sharesPaths: { of: RERANK.name },
  models: modelsFor('embeddings'),
  decode: decodeRerankByVectors,
  encode: encodeRerankByVectors,
};

/** vLLM's. */
const SCORE: ItemsOperation<ScoreOptions> = {
  ...TEXT_OPERATION,
  name: 'openai.score',
  about: {
    summary: 'Scores pairs of texts',
    body: SCORE_BODY,
    answer: SCORE_ANSWER,
    example: { text_1: 'Where is the station?', text_2: ['In the town.', 'It rains.'] },
  },
  dialect: OPENAI,
  paths: ['/score', '/v1/score'],
  models: modelsFor('reranking'),
  decode: decodeScore,
  encode: encodeScore,
};

const SCORE_BY_VECTORS: ItemsOperation<VectorScoreOptions> = {
  ...SCORE,
  name: 'openai.scoreByVectors',
  paths: [],
  sharesPaths: { of: SCORE.name },
  models: modelsFor('embeddings'),
  decode: decodeScoreByVectors,
  encode: encodeScoreByVectors,
};

export const RERANK_OPERATIONS: readonly Operation[] = [RERANK, RERANK_BY_VECTORS, SCORE, SCORE_BY_VECTORS];
