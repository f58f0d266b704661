import type { TaskSource } from '../task.ts';
import type { EncoderOptions, Pooling } from './encoder-contract.ts';
import { readJson, readJsonObject } from './json-file.ts';
import { readModules, type SentenceModule } from './sentence-modules.ts';
import { isObject, type JsonObject } from '../../json.ts';

/** What the files of a hub folder say about a text encoder. */
export interface TextModelFiles {
  /** config.json. */
  readonly config: JsonObject;
  /** Longest input in tokens that the model takes. */
  readonly maxLength: number;
  readonly padId: number;
  /** From the Pooling module's config.json; else the mean for an encoder, as in most models for sentences, and undefined for a decoder. */
  readonly pooling: readonly Pooling[] | undefined;
  /** Set if the graph must give the sentence vector itself: says why (modules.json has layers that are not computed here). */
  readonly ownOnly: string | undefined;
  /** Whether vectors are scaled to length 1: modules.json says so, or does not exist. */
  readonly normalizes: boolean;
  /** Number and size of the heads of a decoder's cache. */
  readonly cache: Pick<EncoderOptions, 'keyValueHeads' | 'headSize'>;
  /** Texts to put before an input, by name. */
  readonly prompts: Readonly<Record<string, string>>;
  readonly defaultPrompt: string | undefined;
}

type Source = Pick<TaskSource, 'files'>;

/** Longest input if no file says. */
const DEFAULT_LENGTH = 512;
/** Tokenizers without a limit say 1e30. */
const NO_LIMIT = 1e9;
/** Models that number positions from the padding id + 1, so that fewer positions are left. */
const OFFSET_POSITIONS = ['roberta', 'xlm-roberta', 'xlm-roberta-xl', 'camembert', 'mpnet', 'roberta-prelayernorm'];

/** Reads the files of a text encoder; `tokenizerConfig` is the tokenizer's own. Throws a plain Error that names what cannot be used. */
export async function readTextModelFiles({ files }: Source, tokenizerConfig: JsonObject): Promise<TextModelFiles> {
  const [config, sentenceBert, pooling, sentences, modules] = await Promise.all([
    readJsonObject(files['config'], 'config.json'),
    readJsonObject(files['sentenceBert'], 'sentence_bert_config.json'),
    readJsonObject(files['pooling'], POOLING_FILE),
    readJsonObject(files['sentenceTransformers'], 'config_sentence_transformers.json'),
    readJson(files['modules'], 'modules.json'),
  ]);
  const padId = count(config['pad_token_id']) ?? 0;
  const steps = readModules(modules);
  const { prompts, defaultPrompt } = promptsOf(sentences);
  const lengths = [
    // sentence-transformers overrides the tokenizer's length by its own.
    count(sentenceBert['max_seq_length']) ?? count(tokenizerConfig['model_max_length']),
    positions(config, padId),
  ].filter((length) => length !== undefined && length > 0 && length < NO_LIMIT);
  return {
    config,
    maxLength: lengths.length === 0 ? DEFAULT_LENGTH : Math.min(...(lengths as number[])),
    padId,
    pooling:
      steps?.some(({ type }) => type === 'SpladePooling') === true
        ? spladeOf(pooling)
        : files['pooling'] === undefined
          ? usualPooling(config)
          : poolingOf(pooling, prompts),
    ownOnly: steps === undefined ? undefined : ownOnly(steps),
    normalizes: steps?.some(({ type }) => type === 'Normalize') ?? true,
    cache: cacheOf(config),
    prompts,
    defaultPrompt,
  };
}

/** Class names by index; undefined if config.json has none. Throws a plain Error if a class has no name. */
export function labelsOf({ id2label }: { readonly id2label?: unknown }): string[] | undefined {
  if (!isObject(id2label)) return undefined;
  const count = Object.keys(id2label).length;
  const labels = Array.from({ length: count }, (_, index) => id2label[String(index)]);
  if (labels.some((label) => typeof label !== 'string'))
    throw new Error('config.json: id2label does not name each class');
  return labels as string[];
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? Math.floor(value) : undefined;
}

function positions(config: JsonObject, padId: number): number | undefined {
  const all = count(config['max_position_embeddings']) ?? count(config['n_positions']);
  if (all === undefined) return undefined;
  return OFFSET_POSITIONS.includes(String(config['model_type'])) ? all - padId - 1 : all;
}

const POOLING_FILE = '1_Pooling/config.json';

/** Modes of sentence-transformers' Pooling module, in the order in which it joins their vectors, with the field of older versions. */
const POOLING_MODES: readonly (readonly [string, string, Pooling])[] = [
  ['cls', 'pooling_mode_cls_token', 'cls'],
  ['max', 'pooling_mode_max_tokens', 'max'],
  ['mean', 'pooling_mode_mean_tokens', 'mean'],
  ['mean_sqrt_len_tokens', 'pooling_mode_mean_sqrt_len_tokens', 'mean-sqrt'],
  ['weightedmean', 'pooling_mode_weightedmean_tokens', 'weighted-mean'],
  ['lasttoken', 'pooling_mode_lasttoken', 'last'],
];

/** The poolings that the module's config names. Throws a plain Error for an unknown mode, and for a pooling that leaves out prompts if the model has some. */
function poolingOf(config: JsonObject, prompts: TextModelFiles['prompts']): Pooling[] {
  if (config['include_prompt'] === false && Object.values(prompts).some((prompt) => prompt !== ''))
    throw new Error(`${POOLING_FILE} leaves the prompt out of the pooling, which is not supported`);
  const { pooling_mode: named } = config;
  if (named === undefined || named === null) {
    const flagged = POOLING_MODES.filter(([, flag]) => config[flag] === true).map(([, , pooling]) => pooling);
    const odd = Object.keys(config).find(
      (key) =>
        key.startsWith('pooling_mode_') && config[key] === true && !POOLING_MODES.some(([, flag]) => flag === key),
    );
    if (odd !== undefined) throw new Error(`${POOLING_FILE}: ${odd} is not known`);
    // As in the library.
    return flagged.length === 0 ? ['mean'] : flagged;
  }
  return [named].flat().map((mode: unknown) => {
    const known = POOLING_MODES.find(([name]) => name === mode);
    if (known === undefined) throw new Error(`${POOLING_FILE}: the pooling_mode ${String(mode)} is not known`);
    return known[2];
  });
}

/** The pooling of a SpladePooling module. Throws a plain Error for one that is computed in another way. */
function spladeOf({
  pooling_strategy: strategy = 'max',
  activation_function: activation = 'relu',
}: JsonObject): Pooling[] {
  if (strategy !== 'max' || activation !== 'relu')
    throw new Error(
      `SpladePooling with ${String(strategy)} and ${String(activation)} is not supported, only with max and relu`,
    );
  return ['splade'];
}

/** Models that were trained to continue texts. Some make their vectors from the last token, some from the mean. */
const DECODERS = /^(gemma|gpt|llama|mistral|mixtral|opt$|phi|qwen)/;

function usualPooling({ architectures, model_type: kind }: JsonObject): readonly Pooling[] | undefined {
  const first: unknown = Array.isArray(architectures) ? architectures[0] : undefined;
  const isDecoder = /(ForCausalLM|LMHeadModel)$/.test(String(first)) || DECODERS.test(String(kind));
  return isDecoder ? undefined : ['mean'];
}

/** Modules that are computed here; dropout does nothing outside training. */
const OWN_MODULES = ['Transformer', 'Pooling', 'Normalize', 'Dropout', 'MLMTransformer', 'SpladePooling'];

function ownOnly(steps: readonly SentenceModule[]): string | undefined {
  const other = steps.find(({ type }) => !OWN_MODULES.includes(type));
  if (other !== undefined) return `modules.json has a ${other.type}, which this server does not compute`;
  return steps.some(({ type }) => type.endsWith('Pooling')) ? undefined : 'modules.json has no Pooling';
}

function cacheOf(config: JsonObject): TextModelFiles['cache'] {
  const heads = count(config['num_attention_heads']);
  const width = count(config['hidden_size']);
  return {
    keyValueHeads: count(config['num_key_value_heads']) ?? heads,
    headSize: count(config['head_dim']) ?? (width !== undefined && heads ? Math.floor(width / heads) : undefined),
  };
}

function promptsOf(config: JsonObject): Pick<TextModelFiles, 'prompts' | 'defaultPrompt'> {
  const given = isObject(config['prompts']) ? config['prompts'] : {};
  const prompts = Object.fromEntries(
    Object.entries(given).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
  const name = config['default_prompt_name'];
  return { prompts, defaultPrompt: typeof name === 'string' ? name : undefined };
}
