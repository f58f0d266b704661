import { ServerError } from '../../errors.ts';
import { isOnlyHf } from '../hf/operations.ts';
import { hasField, hasInnerField, isJsonType } from '../shared/json-body.ts';
import {
  ofTask,
  type CallOperation,
  type ItemsOperation,
  type ModelChoice,
  type ModelFacts,
  type Operation,
  type StandIn,
} from '../shared/operation.ts';
import { TEXT_OPERATION } from '../shared/text-operation.ts';
import { TEI } from './dialect.ts';
import {
  DECODE_ANSWER,
  EMBED_ALL_ANSWER,
  EMBED_ANSWER,
  EMBED_SPARSE_ANSWER,
  PREDICT_ANSWER,
  RERANK_ANSWER,
  SIMILARITY_ANSWER,
  TOKENIZE_ANSWER,
  encodeEmbedAll,
  encodeEmbed,
  encodePredict,
  encodeRerank,
  encodeSimilarity,
} from './replies.ts';
import {
  decodeDecode,
  decodeEmbed,
  decodeEmbedAll,
  decodeEmbedSparse,
  decodePredict,
  decodeRerank,
  decodeSimilarity,
  decodeTokenize,
  type PredictOptions,
  type RerankOptions,
  decodeSchema,
  embedAllSchema,
  embedSchema,
  predictSchema,
  rerankSchema,
  similaritySchema,
  tokenizeSchema,
} from './requests.ts';

/** Models of one task, with TEI's error. `kind` is in TEI's words: `an embedding`, `a classifier`, `a re-ranker`. */
function modelsFor(task: string, kind: string): ModelChoice {
  return { fits: ofTask(task), refusal: () => wrongTask(`model is not ${kind} model`) };
}

function wrongTask(message: string): ServerError {
  return new ServerError('BAD_REQUEST', message, { reason: 'wrong_task' });
}

const EMBEDDING = modelsFor('embeddings', 'an embedding');
const RERANKER = modelsFor('reranking', 'a re-ranker');
const CLASSIFIER = modelsFor('text-classification', 'a classifier');
/** As in TEI, `/predict` also tells the score of a re-ranker, its only class. */
const PREDICTOR: ModelChoice = {
  fits: (model) => CLASSIFIER.fits(model) || RERANKER.fits(model),
  refusal: CLASSIFIER.refusal,
  unnamed: [CLASSIFIER.fits],
};

/** The models that TEI's routes and `GET /info` use, as TEI serves only one: in this order, those that fit and have the call. */
export function textModels(call: string): ((model: ModelFacts) => boolean)[] {
  return [EMBEDDING, RERANKER, CLASSIFIER].map(
    ({ fits }) =>
      (model) =>
        fits(model) && hasCall(model, call),
  );
}

function hasCall({ task }: ModelFacts, call: string): boolean {
  return task.calls?.[call] !== undefined;
}

/** A chat model has a tokenizer, too. */
const TOKENIZER: ModelChoice = {
  fits: (model) => hasCall(model, 'tokenize'),
  refusal: () => wrongTask('model has no tokenizer'),
  unnamed: textModels('tokenize'),
};

const items = { ...TEXT_OPERATION, dialect: TEI };
/** Largest body of a call: calls take no permits, so the bound is the largest text that they take, escaped, and some more. */
const call = {
  kind: 'call' as const,
  dialect: TEI,
  models: TOKENIZER,
  compression: TEXT_OPERATION.compression,
  mostBodyBytes: 8 * 2 ** 20,
};

const EMBED: ItemsOperation<null> = {
  ...items,
  name: 'tei.embed',
  about: {
    summary: 'Gives vectors of texts',
    body: embedSchema,
    answer: EMBED_ANSWER,
    example: { inputs: ['A text.'] },
  },
  paths: ['/embed'],
  models: EMBEDDING,
  decode: decodeEmbed,
  encode: encodeEmbed,
};

const EMBED_ALL: ItemsOperation<null> = {
  ...items,
  name: 'tei.embedAll',
  about: {
    summary: 'Gives a vector for each token of texts',
    body: embedAllSchema,
    answer: EMBED_ALL_ANSWER,
    example: { inputs: ['A text.'] },
  },
  paths: ['/embed_all'],
  models: EMBEDDING,
  decode: decodeEmbedAll,
  encode: encodeEmbedAll,
};

const SIMILARITY: ItemsOperation<null> = {
  ...items,
  name: 'tei.similarity',
  about: {
    summary: 'Compares sentences with one',
    body: similaritySchema,
    answer: SIMILARITY_ANSWER,
    example: { inputs: { source_sentence: 'A text.', sentences: ['Another one.'] } },
  },
  paths: ['/similarity'],
  // `POST /` of a client that knows only the address of the server, such as huggingface_hub's.
  sharesPaths: { of: 'tei.embed', owns: (body) => hasInnerField(body, 'inputs', 'source_sentence') },
  models: EMBEDDING,
  decode: decodeSimilarity,
  encode: encodeSimilarity,
};

const RERANK: ItemsOperation<RerankOptions> = {
  ...items,
  name: 'tei.rerank',
  about: {
    summary: 'Scores texts by how well they answer a query',
    body: rerankSchema,
    answer: RERANK_ANSWER,
    example: { query: 'Where is the station?', texts: ['In the town.', 'It rains.'] },
  },
  paths: ['/rerank'],
  models: RERANKER,
  decode: decodeRerank,
  encode: encodeRerank,
};

/** `POST /predict` with `inputs`; the native one has `data` or `items`. */
const PREDICT: ItemsOperation<PredictOptions> = {
  ...items,
  name: 'tei.predict',
  about: { summary: 'Classifies texts', body: predictSchema, answer: PREDICT_ANSWER, example: { inputs: 'A text.' } },
  paths: [],
  sharesPaths: {
    of: 'native.predict',
    owns: (body, { contentType }) =>
      isJsonType(contentType) && hasField(body, 'inputs', { without: ['data', 'items'] }),
  },
  models: PREDICTOR,
  decode: decodePredict,
  encode: encodePredict,
};

const EMBED_SPARSE: ItemsOperation<null> = {
  ...EMBED,
  name: 'tei.embedSparse',
  about: {
    summary: 'Gives the tokens of texts that a model thinks matter, with their weights',
    body: embedAllSchema,
    answer: EMBED_SPARSE_ANSWER,
    example: { inputs: ['A text.'] },
  },
  paths: ['/embed_sparse'],
  decode: decodeEmbedSparse,
  encode: encodeEmbedAll,
};

const TOKENIZE: CallOperation = {
  ...call,
  name: 'tei.tokenize',
  about: {
    summary: 'Splits texts into tokens',
    body: tokenizeSchema,
    answer: TOKENIZE_ANSWER,
    example: { inputs: 'A text.' },
  },
  paths: ['/tokenize'],
  decode: decodeTokenize,
};
const DECODE: CallOperation = {
  ...call,
  name: 'tei.decode',
  about: { summary: 'Makes texts of token ids', body: decodeSchema, answer: DECODE_ANSWER, example: { ids: [1, 2] } },
  paths: ['/decode'],
  decode: decodeDecode,
};

/** `POST /` does what the server's text model is for; without a text model it is `/embed`, whose error says so. */
const ROOT: StandIn = {
  kind: 'stand-in',
  name: 'tei.root',
  about: { summary: 'Does what the text model of the server is for' },
  dialect: TEI,
  paths: ['/'],
  of: [
    { models: EMBEDDING, operation: 'tei.embed' },
    { models: RERANKER, operation: 'tei.rerank' },
    { models: CLASSIFIER, operation: 'native.predict' },
    { models: { ...CLASSIFIER, fits: isOnlyHf }, operation: 'hf.root' },
  ],
};

export const TEI_OPERATIONS: readonly Operation[] = [
  EMBED,
  EMBED_ALL,
  SIMILARITY,
  RERANK,
  PREDICT,
  EMBED_SPARSE,
  TOKENIZE,
  DECODE,
  ROOT,
];
