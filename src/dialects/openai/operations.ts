import { JSON_TYPE, FORM_TYPE } from '../shared/about.ts';
import { ServerError } from '../../errors.ts';
import { WRITERS, generationStream, isWriter, onlyGeneration, readGeneration } from '../shared/generation-reply.ts';
import { jsonAnswer, ofTask, type ItemsOperation, type ModelChoice, type Operation } from '../shared/operation.ts';
import { allReplies } from '../shared/results.ts';
import { TEXT_OPERATION } from '../shared/text-operation.ts';
import { AUDIO_BODY, AUDIO_JSON_BODY, decodeTranscription, decodeTranslation, type AudioOptions } from './audio.ts';
import { CHAT_BODY, decodeChat, type ChatOptions } from './chat.ts';
import { CHAT_ANSWER, CHAT_EVENT, ChatStream, encodeChat } from './chat-reply.ts';
import { COMPLETIONS_ANSWER, COMPLETIONS_EVENT, CompletionsStream, encodeCompletions } from './completions-reply.ts';
import { FIM_BODY, decodeFim } from './fim.ts';
import { COMPLETIONS_BODY, decodeCompletions, type CompletionsOptions } from './completions.ts';
import { OPENAI } from './dialect.ts';
import {
  EMBEDDINGS_ANSWER,
  EMBEDDINGS_BODY,
  decodeEmbeddings,
  encodeEmbeddings,
  type EmbeddingsOptions,
} from './embeddings.ts';
import { IMAGES_ANSWER, IMAGES_BODY, decodeImages, encodeImages } from './images.ts';
import { RESPONSE_ANSWER, RESPONSE_EVENT } from './responses/answer-schema.ts';
import { encodeResponse } from './responses/output.ts';
import { RESPONSES_BODY, decodeResponse, type ResponseOptions } from './responses/request.ts';
import { ResponseStream } from './responses/stream.ts';
import {
  SPEECH_BODY,
  SPEECH_EVENT,
  SpeechEvents,
  SpeechStream,
  decodeSpeech,
  encodeSpeech,
  type SpeechOptions,
} from './speech.ts';
import { TRANSCRIPT_EVENT, TranscriptStream } from './transcript-stream.ts';
import { TRANSCRIPT_ANSWER, encodeTranscript } from './transcript.ts';

/** Models of one task, with the error as OpenAI's clients know it. */
export function modelsFor(task: string): ModelChoice {
  return {
    fits: ofTask(task),
    refusal: (model) =>
      model === undefined
        ? new ServerError('MODEL_NOT_FOUND', `There is no model for ${task} here.`)
        : new ServerError(
            'BAD_REQUEST',
            `The model '${model.name}' is for ${model.description.task}, not for ${task}.`,
            { param: 'model', reason: 'wrong_task' },
          ),
  };
}

/** Models that give vectors; those of texts come first where a request names none. */
const VECTOR_TASKS = [
  ...['embeddings', 'zero-shot-image-classification', 'image-feature-extraction'],
  ...['zero-shot-audio-classification', 'audio-feature-extraction'],
];
const VECTOR_MODELS: ModelChoice = {
  ...modelsFor('embeddings'),
  fits: ({ description: { task } }) => VECTOR_TASKS.includes(task),
  unnamed: VECTOR_TASKS.map(ofTask),
};

const CHAT_MODELS = modelsFor('chat');
const WRITER_MODELS: ModelChoice = { ...CHAT_MODELS, fits: isWriter, unnamed: WRITERS.map(ofTask) };
const SPEECH_MODELS = modelsFor('transcription');

const EMBEDDINGS: ItemsOperation<EmbeddingsOptions> = {
  ...TEXT_OPERATION,
  name: 'openai.embeddings',
  about: {
    summary: 'Gives vectors of texts',
    body: EMBEDDINGS_BODY,
    answer: EMBEDDINGS_ANSWER,
    example: { input: ['A text.', 'Another one.'] },
  },
  dialect: OPENAI,
  paths: ['/v1/embeddings', '/embeddings'],
  models: VECTOR_MODELS,
  decode: decodeEmbeddings,
  encode: encodeEmbeddings,
};

const CHAT: ItemsOperation<ChatOptions> = {
  kind: 'items',
  name: 'openai.chat',
  about: {
    summary: 'Answers a chat',
    body: CHAT_BODY,
    answer: CHAT_ANSWER,
    events: CHAT_EVENT,
    example: { messages: [{ role: 'user', content: 'What is a carpool?' }], max_tokens: 32 },
  },
  dialect: OPENAI,
  paths: ['/v1/chat/completions'],
  models: CHAT_MODELS,
  decode: decodeChat,
  encode: (results, options, head) => jsonAnswer(encodeChat(head, allReplies(results).map(readGeneration), options)),
  stream: (options, head) => (options.stream ? generationStream(new ChatStream(head, options)) : undefined),
};

/** A body of this size takes a millisecond or two to parse. */
const REFERRING_BYTES = 256 * 1024;

/** Requests that refer to kept items are decoded on the main thread, where those are kept, if they are small. */
const RESPONSES: ItemsOperation<ResponseOptions> = {
  kind: 'items',
  name: 'openai.responses',
  about: {
    summary: 'Answers a chat, in the shape of the responses API',
    body: RESPONSES_BODY,
    answer: RESPONSE_ANSWER,
    events: RESPONSE_EVENT,
    example: { input: 'What is a carpool?', max_output_tokens: 32 },
  },
  dialect: OPENAI,
  paths: ['/v1/responses'],
  models: CHAT_MODELS,
  jsonBytes: (body) =>
    body.byteLength <= REFERRING_BYTES &&
    Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes('item_reference')
      ? 0
      : body.byteLength,
  decode: decodeResponse,
  encode: (results, options, head) => jsonAnswer(encodeResponse(head, onlyGeneration(results), options)),
  stream: (options, head) => (options.stream ? generationStream(new ResponseStream(head, options)) : undefined),
};

/** What editors ask for at the cursor, in the shape of Mistral's API: answers are those of a chat. */
const FIM: ItemsOperation<ChatOptions> = {
  ...CHAT,
  name: 'openai.fim',
  about: {
    ...CHAT.about,
    summary: 'Writes what is missing between two texts',
    body: FIM_BODY,
    example: { prompt: 'def add(a, b):', suffix: 'return c', max_tokens: 16 },
  },
  paths: ['/v1/fim/completions'],
  decode: decodeFim,
};

/** The name of the list of prompts, if each item is for one prompt of it. */
function promptField({ isList, choices }: CompletionsOptions): string | undefined {
  return isList && choices === 1 ? 'prompt' : undefined;
}

const COMPLETIONS: ItemsOperation<CompletionsOptions> = {
  kind: 'items',
  name: 'openai.completions',
  about: {
    summary: 'Goes on with texts, or makes texts of them',
    body: COMPLETIONS_BODY,
    answer: COMPLETIONS_ANSWER,
    events: COMPLETIONS_EVENT,
    example: { prompt: 'Once upon a time', max_tokens: 16 },
  },
  dialect: OPENAI,
  paths: ['/v1/completions'],
  models: WRITER_MODELS,
  decode: decodeCompletions,
  encode: (results, options, head) =>
    jsonAnswer(encodeCompletions(head, allReplies(results, promptField(options)).map(readGeneration), options)),
  stream: (options, head) =>
    options.stream ? generationStream(new CompletionsStream(head, options), promptField(options)) : undefined,
};

const TRANSCRIPTIONS: ItemsOperation<AudioOptions> = {
  kind: 'items',
  name: 'openai.transcriptions',
  about: {
    summary: 'Writes down what is said in a recording',
    body: AUDIO_JSON_BODY,
    formBody: AUDIO_BODY,
    bodyTypes: [FORM_TYPE, JSON_TYPE],
    answerTypes: [JSON_TYPE, 'text/plain', 'text/vtt'],
    answer: TRANSCRIPT_ANSWER,
    events: TRANSCRIPT_EVENT,
  },
  dialect: OPENAI,
  paths: ['/v1/audio/transcriptions'],
  models: SPEECH_MODELS,
  decode: decodeTranscription,
  encode: encodeTranscript,
  stream: ({ stream }) => (stream ? new TranscriptStream() : undefined),
};

const TRANSLATIONS: ItemsOperation<AudioOptions> = {
  ...TRANSCRIPTIONS,
  name: 'openai.translations',
  about: { ...TRANSCRIPTIONS.about, summary: 'Writes down in English what is said in a recording' },
  paths: ['/v1/audio/translations'],
  decode: decodeTranslation,
};

const SPEECH: ItemsOperation<SpeechOptions> = {
  kind: 'items',
  name: 'openai.speech',
  about: {
    summary: 'Reads a text aloud',
    body: SPEECH_BODY,
    answerTypes: ['audio/mpeg', 'audio/ogg', 'audio/aac', 'audio/flac', 'audio/wav', 'audio/pcm'],
    events: SPEECH_EVENT,
    example: { input: 'Good morning.', response_format: 'wav' },
  },
  dialect: OPENAI,
  paths: ['/v1/audio/speech'],
  models: modelsFor('text-to-speech'),
  decode: decodeSpeech,
  encode: encodeSpeech,
  stream({ stream }, { isJob = false }) {
    if (stream === 'sse') return new SpeechEvents();
    return isJob ? undefined : new SpeechStream();
  },
};

const IMAGES: ItemsOperation<null> = {
  kind: 'items',
  name: 'openai.images',
  about: {
    summary: 'Makes images of a text',
    body: IMAGES_BODY,
    answer: IMAGES_ANSWER,
    example: { prompt: 'A red square' },
  },
  dialect: OPENAI,
  paths: ['/v1/images/generations'],
  models: modelsFor('text-to-image'),
  decode: decodeImages,
  encode: encodeImages,
};

export const OPENAI_OPERATIONS: readonly Operation[] = [
  EMBEDDINGS,
  CHAT,
  RESPONSES,
  COMPLETIONS,
  FIM,
  TRANSCRIPTIONS,
  TRANSLATIONS,
  SPEECH,
  IMAGES,
];
