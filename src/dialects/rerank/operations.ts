import { OPENAI } from '../openai/dialect.ts';
import { modelsFor } from '../openai/operations.ts';
import { hasField } from '../shared/json-body.ts';
import type { ItemsOperation, Operation } from '../shared/operation.ts';
import { TEXT_OPERATION } from '../shared/text-operation.ts';
import { decodeRerank, encodeRerank, type RerankOptions } from './rerank.ts';

/** Jina's and Cohere's path; that of Cohere's second version; and TEI's, which vLLM has, for `documents` instead of `texts`. Errors are OpenAI's. */
const RERANK: ItemsOperation<RerankOptions> = {
  ...TEXT_OPERATION,
  name: 'openai.rerank',
  dialect: OPENAI,
  paths: ['/v1/rerank', '/v2/rerank'],
  sharesPaths: { of: 'tei.rerank', owns: (body) => hasField(body, 'documents', { without: ['texts'] }) },
  models: modelsFor('reranking'),
  decode: decodeRerank,
  encode: encodeRerank,
};

export const RERANK_OPERATIONS: readonly Operation[] = [RERANK];
