import { decodeGenerate } from '../oip/generate.ts';
import { decodeTranscription, decodeTranslation } from '../openai/audio.ts';
import { decodeChat } from '../openai/chat.ts';
import { decodeCompletions } from '../openai/completions.ts';
import { decodeEmbeddings } from '../openai/embeddings.ts';
import { decodeImages } from '../openai/images.ts';
import {
  decodeDecode,
  decodeEmbed,
  decodeEmbedAll,
  decodePredict,
  decodeRerank,
  decodeSimilarity,
  decodeTokenize,
} from '../tei/requests.ts';

/** The translated APIs by name, so that any thread can decode a body of theirs. */
export const APIS = {
  'openai.embeddings': decodeEmbeddings,
  'openai.chat': decodeChat,
  'openai.completions': decodeCompletions,
  'openai.transcriptions': decodeTranscription,
  'openai.translations': decodeTranslation,
  'openai.images': decodeImages,
  'tei.embed': decodeEmbed,
  'tei.embedAll': decodeEmbedAll,
  'tei.similarity': decodeSimilarity,
  'tei.rerank': decodeRerank,
  'tei.predict': decodePredict,
  'oip.generate': decodeGenerate,
} as const;

export type ApiName = keyof typeof APIS;
export type OptionsOf<Name extends ApiName> = Awaited<ReturnType<(typeof APIS)[Name]>>['options'];

/** Those that call one of a task's functions. */
export const API_CALLS = { 'tei.tokenize': decodeTokenize, 'tei.decode': decodeDecode } as const;

export type ApiCallName = keyof typeof API_CALLS;
