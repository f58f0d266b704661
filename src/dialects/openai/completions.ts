import { SAMPLING_RANGES } from '../../ranges.ts';
import { jsonItem, type ApiRequest, type DecodeContext } from '../shared/api.ts';
import { Fields } from '../shared/fields.ts';
import { parseJsonObject } from '../../json.ts';
import {
  forChoice,
  HARMLESS_FIELDS,
  readChoices,
  readSampling,
  readStream,
  SAMPLING_FIELDS,
  type StreamFields,
} from './sampling.ts';
import { checkCount, readTextInputs } from '../shared/text-inputs.ts';

const KNOWN = new Set([
  ...['model', 'prompt', 'max_tokens', 'n', 'best_of', 'stream', 'stream_options', 'logprobs', 'echo', 'suffix'],
  ...SAMPLING_FIELDS,
  ...HARMLESS_FIELDS,
]);
/** OpenAI's own default. */
const DEFAULT_MAX_TOKENS = 16;

export interface CompletionsOptions extends StreamFields {
  /** Choices of each prompt. */
  readonly choices: number;
  /** A bad prompt is told by its index. */
  readonly isList: boolean;
}

/**
 * `POST /v1/completions`: the prompts as they are, without a chat template; one item a choice, the choices of a prompt side by side.
 * Throws BAD_REQUEST or TOO_LARGE. https://platform.openai.com/docs/api-reference/completions/create
 */
export function decodeCompletions(body: Uint8Array, { itemLimit }: DecodeContext): ApiRequest<CompletionsOptions> {
  const fields = new Fields(parseJsonObject(body));
  const ignored = fields.unknown(KNOWN);
  fields.refuseFeature('suffix', ['']);
  const { inputs, isList } = readTextInputs(fields, 'prompt', itemLimit);
  const choices = readChoices(fields, body);
  const bestOf = fields.number('best_of', { min: 1, integer: true }) ?? choices;
  if (bestOf !== choices) throw fields.valueError('best_of', "this server takes it only equal to 'n'");
  checkCount(inputs.length * choices, itemLimit);
  // False is none, as in a chat; true is no number.
  const isOff = fields.value('logprobs') === false;
  const logprobs = isOff ? undefined : fields.number('logprobs', SAMPLING_RANGES.top_logprobs);
  const maxTokens = fields.number('max_tokens', SAMPLING_RANGES.max_tokens) ?? DEFAULT_MAX_TOKENS;
  const echo = fields.boolean('echo');
  if (maxTokens === 0 && echo !== true) throw fields.valueError('max_tokens', "0 goes with 'echo' alone");
  const parameters = {
    ...readSampling(fields),
    max_tokens: maxTokens,
    ...(logprobs === undefined ? {} : { logprobs: true, top_logprobs: logprobs }),
    echo,
  };
  return {
    model: fields.text('model'),
    ignored,
    items: inputs.flatMap((prompt) =>
      Array.from({ length: choices }, (_, choice) => jsonItem({ prompt }, forChoice(parameters, choice))),
    ),
    options: { choices, isList, ...readStream(fields) },
  };
}
