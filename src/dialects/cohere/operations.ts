import { modelsFor } from '../openai/operations.ts';
import { decodeRerankByVectors, encodeRerankByVectors } from '../rerank/by-vectors.ts';
import { RANKING_ANSWER, RERANK_BODY, decodeRerank, encodeRerank, type RerankOptions } from '../rerank/rerank.ts';
import type { ItemsOperation, Operation } from '../shared/operation.ts';
import { TEXT_OPERATION } from '../shared/text-operation.ts';
import { COHERE } from './dialect.ts';
import {
  EMBED_ANSWER,
  EMBED_BODY,
  decodeEmbedV1,
  decodeEmbedV2,
  encodeEmbedV1,
  encodeEmbedV2,
  type EmbedOptions,
} from './embed.ts';

/** Cohere's clients have the address of the server as their base URL, without a version. */

const EMBED: ItemsOperation<EmbedOptions> = {
  ...TEXT_OPERATION,
  name: 'cohere.embed',
  about: {
    summary: 'Gives vectors of texts, in the shape of Cohere',
    body: EMBED_BODY,
    answer: EMBED_ANSWER,
    example: { texts: ['A text.'], input_type: 'search_document', embedding_types: ['float'] },
  },
  dialect: COHERE,
  paths: ['/v2/embed'],
  models: modelsFor('embeddings'),
  decode: decodeEmbedV2,
  encode: encodeEmbedV2,
};

const EMBED_V1: ItemsOperation<EmbedOptions> = {
  ...EMBED,
  name: 'cohere.embedV1',
  paths: ['/v1/embed'],
  decode: decodeEmbedV1,
  encode: encodeEmbedV1,
};

const RERANK: ItemsOperation<RerankOptions> = {
  ...TEXT_OPERATION,
  name: 'cohere.rerank',
  about: {
    summary: 'Orders documents by how well they answer a query',
    body: RERANK_BODY,
    answer: RANKING_ANSWER,
    example: { query: 'Where is the station?', documents: ['In the town.', 'It rains.'] },
  },
  dialect: COHERE,
  paths: ['/v2/rerank'],
  models: modelsFor('reranking'),
  decode: decodeRerank,
  encode: encodeRerank,
};

const RERANK_BY_VECTORS: ItemsOperation<RerankOptions> = {
  ...RERANK,
  name: 'cohere.rerankByVectors',
  paths: [],
  sharesPaths: { of: RERANK.name },
  models: modelsFor('embeddings'),
  decode: decodeRerankByVectors,
  encode: encodeRerankByVectors,
};

export const COHERE_OPERATIONS: readonly Operation[] = [EMBED, EMBED_V1, RERANK, RERANK_BY_VECTORS];
