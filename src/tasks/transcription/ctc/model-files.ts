import { isObject, type JsonObject } from '../../../json.ts';
import type { ProgramSpec, TaskSource } from '../../task.ts';
import { readJson, readJsonObject } from '../../text/json-file.ts';
import { SAMPLE_RATE_HZ } from '../log-mel.ts';
import { voiceActivityFile } from '../model-files.ts';
import { leastSamples, type Convolution, type CtcOptions } from './contract.ts';

/** What the files of a model with a CTC head say (Wav2Vec2ForCTC and its kin). */

type Files = Pick<TaskSource, 'files'>;

/** The tokens of a model. */
export interface Vocabulary {
  /** By id; undefined for tokens that stand for nothing that is said. */
  readonly letters: readonly (string | undefined)[];
  readonly blank: number;
  /** The token between words; undefined where words have none, as in Chinese. */
  readonly delimiter: number | undefined;
  readonly isLowerCased: boolean;
}

/** Reads vocab.json, or tokenizer.json in its place, and tokenizer_config.json as Wav2Vec2CTCTokenizer does. Throws a plain Error that names the file at fault. */
export async function readVocabulary({ files }: Files): Promise<Vocabulary> {
  const [vocabulary, config, special] = await Promise.all([
    readJson(files['vocabulary'], 'vocab.json'),
    readJsonObject(files['tokenizerConfig'], 'tokenizer_config.json'),
    readJsonObject(files['specialTokens'], 'special_tokens_map.json'),
  ]);
  const ids = idsOf(vocabulary, config);
  const named = (name: string, otherwise: string): string => textOf(config[name]) ?? textOf(special[name]) ?? otherwise;
  const blank = ids.get(named('pad_token', '<pad>'));
  if (blank === undefined) throw new Error(`vocab.json has no token ${named('pad_token', '<pad>')}, the blank of CTC`);
  const delimiter = ids.get(named('word_delimiter_token', '|'));
  const silent = new Set([
    ...[named('bos_token', '<s>'), named('eos_token', '</s>'), named('unk_token', '<unk>')],
    ...[named('pad_token', '<pad>'), named('word_delimiter_token', '|')],
  ]);
  const letters: (string | undefined)[] = [];
  for (const [token, id] of ids) letters[id] = silent.has(token) ? undefined : token;
  return { letters, blank, delimiter, isLowerCased: config['do_lower_case'] === true };
}

/** Ids by token. A vocabulary of several languages has a table for each. */
function idsOf(file: unknown, { target_lang: language }: JsonObject): ReadonlyMap<string, number> {
  const value = isObject(file) && isObject(file['model']) ? file['model']['vocab'] : file;
  const chosen = isObject(value) && typeof language === 'string' && isObject(value[language]) ? value[language] : value;
  if (!isObject(chosen)) throw new Error('the model has no vocab.json (files.vocabulary)');
  const entries = Object.entries(chosen).filter(
    (entry): entry is [string, number] => Number.isInteger(entry[1]) && (entry[1] as number) >= 0,
  );
  if (entries.length === 0 || entries.length < Object.keys(chosen).length)
    throw new Error('vocab.json does not give each token a number');
  return new Map(entries);
}

/** A token is a text, or an object with its text. */
function textOf(token: unknown): string | undefined {
  const text = isObject(token) ? token['content'] : token;
  return typeof text === 'string' ? text : undefined;
}

/** Whether samples are scaled to mean 0 and variance 1, as preprocessor_config.json says. Throws a plain Error where the model takes other features than samples. */
export async function readNormalising({ files }: Files): Promise<boolean> {
  const config = await readJsonObject(files['preprocessorConfig'], 'preprocessor_config.json');
  const { sampling_rate: rate = SAMPLE_RATE_HZ, feature_size: size = 1, do_normalize: normalizes = true } = config;
  if (rate !== SAMPLE_RATE_HZ)
    throw new Error(`preprocessor_config.json: a sampling rate of ${String(rate)} Hz is not served, only 16000`);
  if (size !== 1)
    throw new Error(`preprocessor_config.json: ${String(size)} features a frame are not served, only samples`);
  return normalizes === true;
}

/** Those of Wav2Vec2, where config.json leaves out what is usual. */
const KERNELS = [10, 3, 3, 3, 3, 2, 2];
const STRIDES = [5, 2, 2, 2, 2, 2, 2];
/** Of the layers of an x-vector, likewise. */
const X_VECTOR_KERNELS = [5, 3, 3, 1, 1];
const X_VECTOR_DILATIONS = [1, 2, 3, 1, 1];

/** The convolutions of config.json, with those of an adapter behind them. Throws a plain Error where they make no sense. */
export async function readCtcOptions({ files }: Files): Promise<CtcOptions> {
  const config = await readJsonObject(files['config'], 'config.json');
  const kernels = numbers(config['conv_kernel'], KERNELS);
  const strides = numbers(config['conv_stride'], STRIDES);
  if (kernels.length !== strides.length || kernels.length > 64)
    throw new Error('config.json: conv_kernel and conv_stride are not of one length');
  const layers = config['add_adapter'] === true ? numbers([config['num_adapter_layers'] ?? 3], [])[0] : 0;
  const [stride = 2] = numbers([config['adapter_stride'] ?? 2], []);
  // Padded by one on each side, with a kernel of three: as transformers counts it.
  const adapter = Array.from({ length: Math.min(layers ?? 0, 64) }, (): Convolution => ({ kernel: 1, stride }));
  return {
    convolutions: [...kernels.map((kernel, at) => ({ kernel, stride: strides[at] ?? 1 })), ...adapter],
    canPad: config['feat_extract_norm'] === 'layer',
  };
}

/**
 * The fewest samples of which such a model makes anything: those of one frame of its convolutions; for an x-vector, of as many as give two behind its layers
 * (`TDNNLayer` of transformers, without padding), as it has their deviation. Throws as `readCtcOptions`.
 */
export async function readLeastSamples(source: Files): Promise<number> {
  const [{ convolutions }, config] = await Promise.all([
    readCtcOptions(source),
    readJsonObject(source.files['config'], 'config.json'),
  ]);
  const { architectures, tdnn_kernel: kernels, tdnn_dilation: dilations } = config;
  const isXVector = Array.isArray(architectures) && architectures.some((name) => String(name).endsWith('ForXVector'));
  if (!isXVector) return leastSamples(1, convolutions);
  const steps = numbers(dilations, X_VECTOR_DILATIONS);
  const widths = numbers(kernels, X_VECTOR_KERNELS).map((kernel, at) => (kernel - 1) * (steps[at] ?? 1));
  return leastSamples(
    widths.reduce((frames, width) => frames + width, 2),
    convolutions,
  );
}

function numbers(value: unknown, otherwise: readonly number[]): readonly number[] {
  if (value === undefined) return otherwise;
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  if (list.length > 0 && list.every((one) => Number.isInteger(one) && (one as number) > 0 && (one as number) < 1e6))
    return list as readonly number[];
  throw new Error('config.json: conv_kernel, conv_stride and the like must be whole numbers above 0');
}

/** Transcription by the ctc program: one graph from samples to logits. */
export async function chooseCtcProgram(source: Omit<TaskSource, 'signature'>): Promise<ProgramSpec> {
  const voiceActivity = voiceActivityFile(source);
  return {
    kind: 'ctc',
    graphs: { model: source.weights, ...(voiceActivity === undefined ? {} : { voiceActivity }) },
    options: { ...(await readCtcOptions(source)) },
  };
}
