import { JSON_TYPE, ANY_TYPE } from '../shared/about.ts';
import { ServerError } from '../../errors.ts';
import { hasField, isJsonType } from '../shared/json-body.ts';
import type { DecodeContext, ItemsOperation, ModelFacts, Operation } from '../shared/operation.ts';
import { TEXT_OPERATION } from '../shared/text-operation.ts';
import { HF } from './dialect.ts';
import { HF_ANSWER, encodeHf } from './replies.ts';
import { HF_BODY, decodeHf, type HfOptions } from './requests.ts';

/** Chat has its own paths in clients of this API; text to image gives files that they do not read from here. */
const ELSEWHERE: ReadonlySet<string> = new Set(['chat', 'text-to-image', 'tensors']);

/** Tasks of which text-embeddings-inference has the same body at `/predict`. */
const OF_TEI: ReadonlySet<string> = new Set(['embeddings', 'reranking', 'text-classification']);

function fits({ description: { task } }: ModelFacts): boolean {
  return !ELSEWHERE.has(task);
}

/** Models that only this API's clients ask for by `inputs`. */
export function isOnlyHf(model: ModelFacts): boolean {
  return fits(model) && !OF_TEI.has(model.description.task);
}

/** Whether a body at `/predict` is for this API: text-embeddings-inference has no `parameters`, and no models of other tasks. */
function owns(body: Uint8Array, { contentType, task }: DecodeContext): boolean {
  if (!isJsonType(contentType) || !hasField(body, 'inputs', { without: ['data', 'items'] })) return false;
  return (task !== undefined && !OF_TEI.has(task)) || hasField(body, 'parameters', { without: [] });
}

/**
 * What `InferenceClient` of huggingface_hub and @huggingface/inference send to a URL that is given as the model: `inputs` and `parameters` in JSON, or the
 * bytes of an image or a recording. https://huggingface.co/docs/inference-providers
 */
const BASE: ItemsOperation<HfOptions> = {
  ...TEXT_OPERATION,
  name: 'hf.predict',
  about: {
    summary: 'Runs a model in the shapes of the Hugging Face inference API',
    body: HF_BODY,
    bodyTypes: [JSON_TYPE, ANY_TYPE],
    answerTypes: [JSON_TYPE, ANY_TYPE],
    answer: HF_ANSWER,
  },
  dialect: HF,
  paths: [
    '/models/:model',
    '/models/:owner/:model',
    '/models/:model/pipeline/:task',
    '/models/:owner/:model/pipeline/:task',
  ],
  models: {
    fits,
    refusal: (model) =>
      model === undefined
        ? new ServerError('MODEL_NOT_FOUND')
        : new ServerError(
            'BAD_REQUEST',
            `The model ${model.name} has the task ${model.description.task}, which this path does not serve.`,
          ),
    // What there is only one body for comes first.
    unnamed: [({ description: { task } }) => task === 'text-classification', isOnlyHf],
  },
  decode: decodeHf,
  encode: encodeHf,
};

const PREDICT: ItemsOperation<HfOptions> = { ...BASE, sharesPaths: { of: 'native.predict', owns, isSameModel: true } };

/** The same at `POST /`, where TEI's root leads for models of other tasks. */
const AT_ROOT: ItemsOperation<HfOptions> = { ...BASE, name: 'hf.root', paths: [] };

export const HF_OPERATIONS: readonly Operation[] = [PREDICT, AT_ROOT];
