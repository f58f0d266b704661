import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { TaskSource } from '../task.ts';
import type { Pooling } from './encoder-contract.ts';
import { readJsonObject } from './json-file.ts';
import { isObject, type JsonObject } from './tokenizer/json.ts';

/** What the files of a hub folder say about a text encoder. */
export interface TextModelFiles {
  /** config.json. */
  readonly config: JsonObject;
  /** Longest input in tokens that the model takes. */
  readonly maxLength: number;
  readonly padId: number;
  /** From 1_Pooling/config.json. */
  readonly pooling: Pooling | undefined;
  /** Layers follow the pooling (modules.json of sentence-transformers names a Dense one). */
  readonly hasDense: boolean;
  /** Texts to set before an input, by name. */
  readonly prompts: Readonly<Record<string, string>>;
  readonly defaultPrompt: string | undefined;
}

type Source = Pick<TaskSource, 'files' | 'folder'>;

/** Longest input where no file says. */
const DEFAULT_LENGTH = 512;
/** Tokenizers without a limit say 1e30. */
const NO_LIMIT = 1e9;
/** Models that number positions from the padding id on, so that so many fewer are left. */
const OFFSET_POSITIONS = ['roberta', 'xlm-roberta', 'xlm-roberta-xl', 'camembert', 'mpnet', 'roberta-prelayernorm'];

/** Reads the files; `tokenizerConfig` is the tokenizer's own. Throws a plain Error that names what cannot be used. */
export async function readTextModelFiles(
  { files, folder }: Source,
  tokenizerConfig: JsonObject,
): Promise<TextModelFiles> {
  const [config, sentenceBert, pooling, prompts] = await Promise.all([
    readJsonObject(files['config'], 'config.json'),
    readJsonObject(files['sentenceBert'], 'sentence_bert_config.json'),
    readJsonObject(files['pooling'], '1_Pooling/config.json'),
    readJsonObject(files['sentenceTransformers'], 'config_sentence_transformers.json'),
  ]);
  const padId = count(config['pad_token_id']) ?? 0;
  const lengths = [
    count(sentenceBert['max_seq_length']),
    count(tokenizerConfig['model_max_length']),
    positions(config, padId),
  ].filter((length) => length !== undefined && length > 0 && length < NO_LIMIT);
  return {
    config,
    maxLength: lengths.length === 0 ? DEFAULT_LENGTH : Math.min(...(lengths as number[])),
    padId,
    pooling: poolingOf(pooling),
    hasDense: files['pooling'] !== undefined && (await readsDense(folder)),
    ...promptsOf(prompts),
  };
}

/** Class names by index; undefined where config.json has none. */
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

/** Field names of sentence-transformers' Pooling module. */
const POOLING_MODES: readonly (readonly [string, Pooling])[] = [
  ['pooling_mode_cls_token', 'cls'],
  ['pooling_mode_mean_tokens', 'mean'],
  ['pooling_mode_max_tokens', 'max'],
  ['pooling_mode_mean_sqrt_len_tokens', 'mean-sqrt'],
  ['pooling_mode_weightedmean_tokens', 'weighted-mean'],
  ['pooling_mode_lasttoken', 'last'],
];

function poolingOf(config: JsonObject): Pooling | undefined {
  const modes = POOLING_MODES.filter(([name]) => config[name] === true).map(([, pooling]) => pooling);
  if (modes.length > 1) throw new Error('1_Pooling/config.json asks for several poolings at once');
  if (config['include_prompt'] === false)
    throw new Error('1_Pooling/config.json leaves the prompt out of the pooling, which is not supported');
  return modes[0];
}

async function readsDense(folder: string): Promise<boolean> {
  let text: string;
  try {
    text = await readFile(path.join(folder, 'modules.json'), 'utf8');
  } catch {
    return false;
  }
  return /"[\w.]+\.Dense"/.test(text);
}

function promptsOf(config: JsonObject): Pick<TextModelFiles, 'prompts' | 'defaultPrompt'> {
  const given = isObject(config['prompts']) ? config['prompts'] : {};
  const prompts = Object.fromEntries(
    Object.entries(given).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
  const name = config['default_prompt_name'];
  return { prompts, defaultPrompt: typeof name === 'string' ? name : undefined };
}
