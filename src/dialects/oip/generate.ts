import { z } from 'zod';
import { once } from '../../once.ts';
import { count } from '../shared/answer-schema.ts';
import { SAMPLING_RANGES } from '../../ranges.ts';
import { jsonItem, type AnswerHead, type ItemsRequest } from '../shared/operation.ts';
import { flag, number, object, readFields, text, unknownFields } from '../shared/body-schema.ts';
import {
  FINISH_REASON,
  SentText,
  type Generation,
  type GenerationPiece,
  type StreamEncoder,
} from '../shared/generation-reply.ts';
import { parseJsonObject } from '../../json.ts';
import { SAMPLING, samplingOf } from '../openai/sampling.ts';

const maxTokens = number({ ...SAMPLING_RANGES.max_tokens, min: 1 }).optional();
const parametersSchema = z.object({
  ...SAMPLING,
  max_completion_tokens: maxTokens,
  max_tokens: maxTokens,
  echo: flag.optional(),
  details: flag.default(false),
});
const schema = z.object({
  text_input: text,
  id: text.optional(),
  /** Without effect: the address says whether the answer is a stream. */
  stream: flag.optional(),
  parameters: object.default({}),
});
/** Fields of the request, where parameters may stand beside the others. */
const allFields = z.object({ ...schema.shape, ...parametersSchema.shape });

/** As clients of Triton write it: parameters beside the text, or in `parameters`. */
export const GENERATE_BODY = allFields;
/** The specification's own default. */
const DEFAULT_MAX_TOKENS = 20;

export interface GenerateOptions {
  readonly id?: string;
  /** Whether the answer says why the text ended and how many tokens it has. */
  readonly details: boolean;
}

/**
 * `POST /v2/models/<model>/generate` and `generate_stream`: the text as it is, without a chat template. Parameters may stand in `parameters` or, as
 * Triton takes them, beside the text; unknown ones are ignored, as the specification demands. Throws BAD_REQUEST.
 * https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/generate_rest.yaml
 */
export function decodeGenerate(body: Uint8Array): ItemsRequest<GenerateOptions> {
  const values = parseJsonObject(body);
  const { text_input: prompt, id, parameters: own } = readFields(schema, values);
  const ignored = [...unknownFields(allFields, values), ...unknownFields(parametersSchema, own)];
  const asked = readFields(parametersSchema, { ...values, ...own });
  const item = jsonItem(
    { prompt },
    {
      ...samplingOf(asked),
      max_tokens: asked.max_completion_tokens ?? asked.max_tokens ?? DEFAULT_MAX_TOKENS,
      echo: asked.echo,
    },
  );
  const { details } = asked;
  return { model: undefined, items: [item], options: { details, ...(id === undefined ? {} : { id }) }, ignored };
}

const generated = once(() => {
  const tokens = { prompt_tokens: count, completion_tokens: count };
  return z.object({
    ...{ id: text.optional(), model_name: text, model_version: text, text_output: text },
    details: z.object({ finish_reason: FINISH_REASON(), ...tokens }).optional(),
  });
});

export const GENERATE_ANSWER = once(() => generated().meta({ id: 'GenerateAnswer' }));
export const GENERATE_EVENT = once(() => generated().extend({ done: flag }).meta({ id: 'GenerateEvent' }));

export function encodeGenerate(head: AnswerHead, generation: Generation, options: GenerateOptions): unknown {
  return {
    ...objectHead(head, options),
    text_output: generation.text,
    ...(options.details ? { details: detailsOf(generation) } : {}),
  };
}

function objectHead({ model, version }: AnswerHead, { id }: GenerateOptions): Readonly<Record<string, unknown>> {
  return { ...(id === undefined ? {} : { id }), model_name: model, model_version: version };
}

function detailsOf({ finish_reason, prompt_tokens, completion_tokens }: Generation): unknown {
  return { finish_reason, prompt_tokens, completion_tokens };
}

/** Each event is an answer whose `text_output` is the next piece; the last one is `done` and has the details, if they are wanted. */
export class GenerateStream implements StreamEncoder {
  readonly #head: Readonly<Record<string, unknown>>;
  readonly #details: boolean;
  readonly #sent = new SentText();

  constructor(head: AnswerHead, options: GenerateOptions) {
    this.#head = objectHead(head, options);
    this.#details = options.details;
  }

  piece(index: number, { text }: GenerationPiece): string[] {
    this.#sent.add(index, text);
    return [JSON.stringify({ ...this.#head, text_output: text, done: false })];
  }

  done(index: number, generation: Generation): string[] {
    const rest = this.#sent.rest(index, generation.text);
    const details = this.#details ? { details: detailsOf(generation) } : {};
    return [JSON.stringify({ ...this.#head, text_output: rest, done: true, ...details })];
  }

  end(): string[] {
    return [];
  }
}
