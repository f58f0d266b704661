import { ServerError } from '../../errors.ts';
import { generationStream, readGeneration } from '../shared/generation-reply.ts';
import {
  jsonAnswer,
  ofTask,
  type ItemsOperation,
  type ModelChoice,
  type Operation,
  type TensorsOperation,
} from '../shared/operation.ts';
import { allReplies } from '../shared/results.ts';
import { OIP } from './dialect.ts';
import { decodeGenerate, encodeGenerate, GenerateStream, type GenerateOptions } from './generate.ts';
import { decodeInfer, readJsonLength } from './request.ts';
import { encodeInfer, textBytesOf } from './response.ts';
import type { OipRequest } from './types.ts';

const MODEL = '/v2/models/:model';
const VERSION = `${MODEL}/versions/:version`;

/** The path always names the model. */
const ANY_MODEL: ModelChoice = { fits: () => true, refusal: () => new ServerError('MODEL_NOT_FOUND') };
const GENERATORS: ModelChoice = {
  fits: ofTask('chat'),
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
  dialect: OIP,
  paths: [`${MODEL}/generate`, `${VERSION}/generate`],
  models: GENERATORS,
  decode: decodeGenerate,
  encode(results, options, head) {
    const [generation] = allReplies(results).map(readGeneration);
    if (generation === undefined) throw new ServerError('INTERNAL');
    return jsonAnswer(encodeGenerate(head, generation, options));
  },
};

const GENERATE_STREAM: ItemsOperation<GenerateOptions> = {
  ...GENERATE,
  name: 'oip.generateStream',
  paths: [`${MODEL}/generate_stream`, `${VERSION}/generate_stream`],
  stream: (options, head) => generationStream(new GenerateStream(head, options)),
};

export const OIP_OPERATIONS: readonly Operation[] = [INFER, GENERATE, GENERATE_STREAM];
