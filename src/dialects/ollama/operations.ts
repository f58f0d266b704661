import { LINES_TYPE } from '../shared/about.ts';
import { modelsFor } from '../openai/operations.ts';
import { generationStream, onlyGeneration } from '../shared/generation-reply.ts';
import { jsonAnswer, type ItemsOperation, type Operation } from '../shared/operation.ts';
import { TEXT_OPERATION } from '../shared/text-operation.ts';
import { OLLAMA } from './dialect.ts';
import type { OllamaOptions } from './fields.ts';
import {
  CHAT_ANSWER,
  EMBED_ANSWER,
  EMBEDDING_ANSWER,
  encodeEmbed,
  encodeEmbedding,
  encodeGeneration,
  GENERATE_ANSWER,
  GenerationLines,
} from './replies.ts';
import {
  CHAT_BODY,
  decodeChat,
  decodeEmbed,
  decodeEmbedding,
  decodeGenerate,
  EMBED_BODY,
  EMBEDDING_BODY,
  GENERATE_BODY,
  type EmbedOptions,
} from './requests.ts';

const CHAT: ItemsOperation<OllamaOptions> = {
  kind: 'items',
  name: 'ollama.chat',
  about: {
    summary: 'Answers a chat, in lines of JSON unless stream is false',
    body: CHAT_BODY,
    answer: CHAT_ANSWER,
    lines: CHAT_ANSWER,
    example: {
      messages: [{ role: 'user', content: 'What is a carpool?' }],
      stream: false,
      options: { num_predict: 32 },
    },
  },
  dialect: OLLAMA,
  paths: ['/api/chat'],
  models: modelsFor('chat'),
  decode: decodeChat,
  encode: (results, options, head) => jsonAnswer(encodeGeneration(head, onlyGeneration(results), options)),
  stream: (options, head) =>
    options.stream && !options.isLoad
      ? { ...generationStream(new GenerationLines(head, options)), isLines: true, contentType: LINES_TYPE }
      : undefined,
};

const GENERATE: ItemsOperation<OllamaOptions> = {
  ...CHAT,
  name: 'ollama.generate',
  about: {
    summary: 'Answers a prompt, in lines of JSON unless stream is false',
    body: GENERATE_BODY,
    answer: GENERATE_ANSWER,
    lines: GENERATE_ANSWER,
    example: { prompt: 'What is a carpool?', stream: false, options: { num_predict: 32 } },
  },
  paths: ['/api/generate'],
  decode: decodeGenerate,
};

const EMBED: ItemsOperation<EmbedOptions> = {
  ...TEXT_OPERATION,
  name: 'ollama.embed',
  about: {
    summary: 'Gives vectors of texts',
    body: EMBED_BODY,
    answer: EMBED_ANSWER,
    example: { input: ['A text.', 'Another one.'] },
  },
  dialect: OLLAMA,
  paths: ['/api/embed'],
  models: modelsFor('embeddings'),
  decode: decodeEmbed,
  encode: encodeEmbed,
};

const EMBEDDING: ItemsOperation<EmbedOptions> = {
  ...EMBED,
  name: 'ollama.embedding',
  about: {
    summary: 'Gives the vector of a text',
    body: EMBEDDING_BODY,
    answer: EMBEDDING_ANSWER,
    example: { prompt: 'A text.' },
  },
  paths: ['/api/embeddings'],
  decode: decodeEmbedding,
  encode: encodeEmbedding,
};

export const OLLAMA_OPERATIONS: readonly Operation[] = [CHAT, GENERATE, EMBED, EMBEDDING];
