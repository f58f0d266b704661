import { OPENAI } from '../openai/dialect.ts';
import { modelsFor } from '../openai/operations.ts';
import { hasField } from '../shared/json-body.ts';
import type { ItemsOperation, Operation } from '../shared/operation.ts';
import { TEXT_OPERATION } from '../shared/text-operation.ts';
import { decodeRerank, encodeRerank, type RerankOptions } from './rerank.ts';

/** The paths are those of Jina and Cohere, of Cohere's second version, and (for `documents` instead of `texts`) of TEI, as in vLLM. Errors are OpenAI's. */
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
