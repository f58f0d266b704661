import { JSON_TYPE } from '../shared/about.ts';
import { ServerError } from '../../errors.ts';
import { generationStream, isWriter, onlyGeneration } from '../shared/generation-reply.ts';
import {
  jsonAnswer,
  type ItemsOperation,
  type ModelChoice,
  type Operation,
  type TensorsOperation,
} from '../shared/operation.ts';
import { OIP } from './dialect.ts';
import {
  GENERATE_ANSWER,
  GENERATE_BODY,
  GENERATE_EVENT,
  decodeGenerate,
  encodeGenerate,
  GenerateStream,
  type GenerateOptions,
} from './generate.ts';
import { INFER_BODY, decodeInfer, readJsonLength } from './request.ts';
import { INFER_ANSWER, encodeInfer, textBytesOf } from './response.ts';
import type { OipRequest } from './types.ts';

const MODEL = '/v2/models/:model';
const VERSION = `${MODEL}/versions/:version`;

/** The path always names the model. */
const ANY_MODEL: ModelChoice = { fits: () => true, refusal: () => new ServerError('MODEL_NOT_FOUND') };
const GENERATORS: ModelChoice = {
  fits: isWriter,
  refusal: (model) =>
    model === undefined
      ? new ServerError('MODEL_NOT_FOUND')
      : new ServerError(
          'BAD_REQUEST',
          `Model '${model.name}' does not generate text: its task is ${model.description.task}.`,
        ),
};

const INFER: TensorsOperation<OipRequest> = {
  kind: 'tensors',
  name: 'oip.infer',
  about: {
    summary: 'Runs a model on tensors',
    body: INFER_BODY,
    bodyTypes: [JSON_TYPE, 'application/octet-stream'],
    answerTypes: [JSON_TYPE, 'application/octet-stream'],
    answer: INFER_ANSWER,
  },
  dialect: OIP,
  paths: [`${MODEL}/infer`, `${VERSION}/infer`],
  models: ANY_MODEL,
  // The Python asyncio client offers `br` but inflates only the first two.
  compression: { codings: ['gzip', 'deflate', 'zstd', 'br'] },
  jsonBytes: (body, { jsonLength }) => readJsonLength(jsonLength) ?? body.byteLength,
  decode: (body, { jsonLength }, model) => decodeInfer(body, readJsonLength(jsonLength), model),
  encode(request, outputs, model) {
    const { headerLength, chunks } = encodeInfer(request, outputs, model);
    if (headerLength === undefined) return { contentType: 'application/json', chunks };
    return {
      contentType: 'application/octet-stream',
      chunks,
      headers: { 'Inference-Header-Content-Length': headerLength },
    };
  },
  textBytes: textBytesOf,
};

const GENERATE: ItemsOperation<GenerateOptions> = {
  kind: 'items',
  name: 'oip.generate',
  about: {
    summary: 'Writes text',
    body: GENERATE_BODY,
    answer: GENERATE_ANSWER,
    example: { text_input: 'Once upon a time' },
  },
  dialect: OIP,
  paths: [`${MODEL}/generate`, `${VERSION}/generate`],
  models: GENERATORS,
  decode: decodeGenerate,
  encode: (results, options, head) => jsonAnswer(encodeGenerate(head, onlyGeneration(results), options)),
};

const GENERATE_STREAM: ItemsOperation<GenerateOptions> = {
  ...GENERATE,
  name: 'oip.generateStream',
  about: {
    summary: 'Writes text as server-sent events',
    body: GENERATE_BODY,
    answerTypes: [],
    events: GENERATE_EVENT,
    example: { text_input: 'Once upon a time' },
  },
  paths: [`${MODEL}/generate_stream`, `${VERSION}/generate_stream`],
  stream: (options, head) => generationStream(new GenerateStream(head, options)),
};

export const OIP_OPERATIONS: readonly Operation[] = [INFER, GENERATE, GENERATE_STREAM];
