import path from 'node:path';
import { isObject, type JsonObject } from '../../json.ts';
import { preprocessingOf, exampleSide } from '../image/image-model.ts';
import type { ProgramSpec, TaskSource } from '../task.ts';
import { readJsonObject } from '../text/json-file.ts';
import { loadTokenizer } from '../text/tokenizer.ts';
import { readOptions } from '../options.ts';
import type { ImageTextOptions } from './contract.ts';
import { imageTextOptions } from './options.ts';

/** What config.json says of a model of image and text pairs. */
export interface PairConfig {
  /** Each label is judged by itself (SigLIP): a sigmoid, and texts padded to the model's length. Else (CLIP) a softmax over the labels. */
  readonly isSigmoid: boolean;
  /** Longest text in tokens. */
  readonly maxLength: number;
  readonly padId: number;
}

/** CLIP's and SigLIP's own lengths, where config.json leaves out what is usual. */
const USUAL_LENGTH = { clip: 77, siglip: 64 };
/** CLIP stops its trained scale there (Radford et al., 2021, section 2.5). */
const CLIP_SCALE = 100;

export async function readPairConfig({ files }: Pick<TaskSource, 'files'>): Promise<PairConfig> {
  const config = await readJsonObject(files['config'], 'config.json');
  const text: JsonObject = isObject(config['text_config']) ? config['text_config'] : {};
  const { model_type: type } = config;
  const isSigmoid = typeof type === 'string' && type.startsWith('siglip');
  const { max_position_embeddings: most, pad_token_id: pad } = text;
  return {
    isSigmoid,
    maxLength: typeof most === 'number' ? most : USUAL_LENGTH[isSigmoid ? 'siglip' : 'clip'],
    padId: typeof pad === 'number' ? pad : 1,
  };
}

/** Images by `vision_model` and texts by `text_model`, or both by `model`. Throws a plain Error that names the file at fault. */
export async function chooseImageTextProgram(source: Omit<TaskSource, 'signature'>): Promise<ProgramSpec> {
  const own = readOptions(source, imageTextOptions);
  const { isSigmoid, maxLength, padId } = await readPairConfig(source);
  const tokenizer = await loadTokenizer(source.files);
  const pad = tokenizer.specialToken('pad_token');
  const side = exampleSide(await preprocessingOf(source, own.preprocessing));
  const { logitScale = isSigmoid ? undefined : CLIP_SCALE, logitBias = isSigmoid ? undefined : 0 } = own;
  const options: ImageTextOptions = {
    padId: (pad === undefined ? undefined : tokenizer.tokenToId(pad)) ?? padId,
    ...(isSigmoid ? { padTo: maxLength } : {}),
    row: [1, 3, side.height, side.width],
    outputs: { vector: 'image_embeds', logits: 'logits_per_image' },
    ...(logitScale === undefined || logitBias === undefined ? {} : { logit: [logitScale, logitBias] }),
  };
  return pairProgram(source, options);
}

/** The program of one graph of both, or of a graph for each. Throws a plain Error where one of these is missing. */
export function pairProgram(
  { weights, files }: Pick<TaskSource, 'weights' | 'files'>,
  options: ImageTextOptions,
): ProgramSpec {
  const isSplit = /^(vision|audio)_model/.test(path.basename(weights));
  const text = files['textModel'];
  if (isSplit && text === undefined) throw new Error(`${path.basename(weights)} needs a text_model.onnx beside it`);
  return {
    kind: 'image-text',
    graphs: { model: weights, ...(isSplit && text !== undefined ? { text } : {}) },
    options: { ...options },
  };
}
