import { z } from 'zod';
import { parseJsonObject } from '../../json.ts';
import { SAMPLING_RANGES } from '../../ranges.ts';
import { number, readFields, text, unknownFields } from '../shared/body-schema.ts';
import { jsonItem, type ItemsRequest } from '../shared/operation.ts';
import type { ChatOptions } from './chat.ts';
import { HARMLESS, SAMPLING, samplingOf, seed, STREAMING, streamOf } from './sampling.ts';

const schema = z.object({
  prompt: text,
  suffix: text.optional(),
  max_tokens: number({ ...SAMPLING_RANGES.max_tokens, min: 1 }).optional(),
  ...SAMPLING,
  /** Mistral's word for `seed`. */
  random_seed: seed.optional(),
  model: text.optional(),
  ...STREAMING,
  ...HARMLESS,
});

export { schema as FIM_BODY };

/**
 * `POST /v1/fim/completions`: the text between `prompt` and `suffix`, as Continue and other editors ask for it; without a suffix, what follows the prompt.
 * Throws BAD_REQUEST. https://docs.mistral.ai/api/endpoint/fim
 */
export function decodeFim(body: Uint8Array): ItemsRequest<ChatOptions> {
  const values = parseJsonObject(body);
  const ignored = unknownFields(schema, values);
  const { prompt, suffix, random_seed: ownSeed, ...fields } = readFields(schema, values);
  const item = jsonItem(suffix === undefined || suffix === '' ? { prompt } : { prompt, suffix }, {
    ...samplingOf({ ...fields, seed: fields.seed ?? ownSeed }),
    max_tokens: fields.max_tokens,
  });
  return {
    model: fields.model,
    ignored,
    items: [item],
    options: { choices: 1, includeReasoning: true, ...streamOf(fields) },
  };
}
