import { z } from 'zod';
import { isObject, type JsonObject } from '../../json.ts';
import { readOptions } from '../options.ts';
import type { ProgramSpec, TaskSource } from '../task.ts';
import { readJsonObject } from '../text/json-file.ts';
import { readGenerationConfig, type GenerationConfig } from './generation-config.ts';
import type { TextToTextOptions } from './work.ts';

/** A model's folder: what its options, config.json, generation_config.json and tokenizer_config.json say. */

/** Used where no file tells. */
const DEFAULT_SOURCE_TOKENS = 512;
/** As in transformers' pipelines. */
const DEFAULT_MAX_TOKENS = 256;
/** Most tokens of a text of a model that has no last position, such as T5. One without end would keep all others from the model. */
const MOST_TOKENS = 4096;
/** Tokenizers without a limit say 1e30. */
const NO_LIMIT = 1e9;
export const MOST_BEAMS = 16;

const options = z.strictObject({
  /** Most tokens of a text when the request does not say; default: the model's own. */
  maxTokens: z.int().min(1).optional(),
  /** Longest source in tokens; default: the model's own. */
  maxSourceTokens: z.int().min(1).optional(),
  /** Longest source in UTF-16 units. */
  maxCharacters: z.int().min(1).default(100_000),
  /** Texts that go on side by side in a beam search, when the request does not say; 1: no search; default: the model's own. */
  numBeams: z.int().min(1).max(MOST_BEAMS).optional(),
  kvCacheBytes: z
    .int()
    .min(1)
    .default(2 ** 30),
  /** A source that is too long is cut, instead of refused. */
  truncate: z.boolean().default(false),
  /** Comes before every source; default: that of config.json. */
  prefix: z.string().max(10_000).optional(),
  /** Languages when the request names none. */
  sourceLanguage: z.string().min(1).optional(),
  targetLanguage: z.string().min(1).optional(),
});

export interface TextToTextModel {
  readonly own: z.output<typeof options>;
  readonly config: JsonObject;
  readonly generation: GenerationConfig;
  readonly maxTokens: number;
  /** Most tokens that a request may ask for. */
  readonly mostTokens: number;
  readonly program: TextToTextOptions;
}

const configSchema = z.object({
  max_position_embeddings: z.int().min(2).nullish().catch(null),
});

/** Reads a model's configs and options. Throws a plain Error saying what is wrong with them. */
export async function readTextToTextModel(source: Omit<TaskSource, 'signature'>): Promise<TextToTextModel> {
  const own = readOptions(source, options);
  const [config, generationFile, tokenizer] = await Promise.all([
    readJsonObject(source.files['config'], 'config.json'),
    readJsonObject(source.files['generationConfig'], 'generation_config.json'),
    readJsonObject(source.files['tokenizerConfig'], 'tokenizer_config.json'),
  ]);
  const generation = readGenerationConfig({ config, generation: generationFile });
  const { max_position_embeddings: positions } = configSchema.parse(config);
  const startTokens = [generation.decoder_start_token_id ?? generation.bos_token_id ?? []].flat();
  if (startTokens.length === 0)
    throw new Error('generation_config.json: decoder_start_token_id is missing: no token starts a text');
  const limits = [tokenizer['model_max_length'], positions].filter(
    (limit): limit is number => typeof limit === 'number' && limit > 0 && limit < NO_LIMIT,
  );
  const { max_new_tokens: most, max_length: longest } = generation;
  const usual = most ?? (typeof longest === 'number' ? longest - startTokens.length : DEFAULT_MAX_TOKENS);
  const mostTokens = positions == null ? Math.max(MOST_TOKENS, own.maxTokens ?? usual) : positions - startTokens.length;
  return {
    ...{ own, config, generation, mostTokens },
    maxTokens: Math.max(1, Math.min(own.maxTokens ?? usual, mostTokens)),
    program: {
      startTokens,
      kvCacheBytes: own.kvCacheBytes,
      padId: generation.pad_token_id ?? 0,
      maxSourceTokens: own.maxSourceTokens ?? (limits.length === 0 ? DEFAULT_SOURCE_TOKENS : Math.min(...limits)),
    },
  };
}

/** The program of such a model: `files.model` is the encoder, `files.decoder` the decoder. Throws as `readTextToTextModel`, and where a file is missing. */
export async function chooseTextToTextProgram(source: Omit<TaskSource, 'signature'>): Promise<ProgramSpec> {
  const { decoder, decoderWithPast } = source.files;
  if (decoder === undefined) throw new Error('the model has no decoder (files.decoder)');
  const { program, own, generation, config } = await readTextToTextModel(source);
  const notes = own.numBeams === undefined ? notesOf(generation, config) : [];
  return {
    ...(notes.length === 0 ? {} : { notes }),
    kind: 'text-to-text',
    graphs: { model: source.weights, decoder, ...(decoderWithPast === undefined ? {} : { decoderWithPast }) },
    options: { ...program },
  };
}

/** What is said of beams that are more than are searched. */
function notesOf(generation: GenerationConfig, { task_specific_params: tasks }: JsonObject): string[] {
  const asked: [string, unknown][] = [
    ['the generation config', generation.num_beams],
    ...Object.entries(isObject(tasks) ? tasks : {}).map(([name, own]): [string, unknown] => [
      `task_specific_params.${name}`,
      isObject(own) ? own['num_beams'] : undefined,
    ]),
  ];
  return asked.flatMap(([place, beams]) =>
    typeof beams === 'number' && beams > MOST_BEAMS
      ? [`num_beams of ${place} is ${beams}: ${MOST_BEAMS} are searched, the most that there are here`]
      : [],
  );
}
