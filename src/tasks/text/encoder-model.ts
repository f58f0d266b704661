import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import type { Tensor } from '../../tensors/tensor.ts';
import type { ProgramSpec, TaskSource } from '../task.ts';
import { textCalls, type TextInfo } from './calls.ts';
import { TokenEncoder } from './encode.ts';
import { POOLINGS, RESULT, SPARSE, type EncoderOptions } from './encoder-contract.ts';
import { labelsOf, readTextModelFiles, type TextModelFiles } from './model-files.ts';
import { loadTokenizer, type TextTokenizer } from './tokenizer.ts';

/** Options of model.json that all text encoders have. */
export const encoderOptions = {
  /** Longest text in tokens, special ones included; default: what the model's files say. */
  maxLength: z.number().int().min(1).optional(),
  /** Longest text in UTF-16 units that is tokenised whole. */
  maxCharacters: z.number().int().min(1).default(100_000),
  /** Whether a text that is too long is cut if the request does not say; false: it is refused. */
  autoTruncate: z.boolean().default(true),
  /** The graph's output to use. */
  output: z.string().optional(),
  /** The side of the padding; only a graph that pools by itself may need `left`. */
  paddingSide: z.enum(['left', 'right']).default('right'),
};

const pooling = z.enum(POOLINGS);
/** One pooling, or several whose vectors are joined. */
export const poolingOption = {
  pooling: z
    .union([pooling, z.array(pooling).min(1)])
    .transform((own) => [own].flat())
    .optional(),
};

/** Options as a schema with `encoderOptions` reads them. */
interface ReadOptions {
  readonly maxLength?: number | undefined;
  readonly maxCharacters: number;
  readonly autoTruncate: boolean;
  readonly output?: string | undefined;
  readonly paddingSide: 'left' | 'right';
  readonly pooling?: EncoderOptions['pooling'];
  readonly heads?: EncoderOptions['heads'];
}

type Source = Omit<TaskSource, 'signature'>;

/** The program that runs a model's texts. Throws a plain Error that names the file at fault. */
export async function encoderProgram(
  source: Source,
  wants: EncoderOptions['wants'],
  options: ReadOptions,
): Promise<ProgramSpec> {
  const tokenizer = await loadTokenizer(source.files);
  const files = await readTextModelFiles(source, tokenizer.config);
  const own: EncoderOptions = {
    wants,
    pooling: options.pooling,
    usualPooling: files.pooling,
    ownOnly: files.ownOnly,
    ...files.cache,
    output: options.output,
    heads: options.heads,
    maxLength: options.maxLength ?? files.maxLength,
    padId: padIdOf(tokenizer, files),
    padSide: options.paddingSide,
    ...(wants === 'embedding' ? { unweighted: [...tokenizer.specialIds] } : {}),
  };
  return { kind: 'text-encoder', graphs: { model: source.weights }, options: { ...own } };
}

function padIdOf(tokenizer: TextTokenizer, files: TextModelFiles): number {
  const token = tokenizer.specialToken('pad_token');
  return (token === undefined ? undefined : tokenizer.tokenToId(token)) ?? files.padId;
}

/** What a text encoder's task is made of. */
export interface EncoderModel {
  readonly encoder: TokenEncoder;
  readonly tokenizer: TextTokenizer;
  /** Longest input in tokens, special ones included. */
  readonly maxLength: number;
  readonly files: TextModelFiles;
  readonly autoTruncate: boolean;
  /** Length of a text's vector, or number of classes; undefined if the graph does not say. */
  readonly size: number | undefined;
  /** Whether it gives sparse vectors. */
  readonly isSparse: boolean;
  readonly calls: ReturnType<typeof textCalls>;
  /** Throws TOO_LARGE for token ids sent as tensors, by the limit for texts. */
  readonly checkTensors: (inputs: readonly Tensor[]) => void;
}

/** Reads the files and the program's signature. Throws a plain Error that names the file at fault. */
export async function openEncoderModel(
  source: TaskSource,
  options: ReadOptions,
  info: (base: { files: TextModelFiles; size: number | undefined }) => Omit<TextInfo, 'maxInputLength'>,
): Promise<EncoderModel> {
  const tokenizer = await loadTokenizer(source.files);
  const files = await readTextModelFiles(source, tokenizer.config);
  const fixed = source.signature.inputs[0]?.shape[1];
  const fixedLength = fixed === undefined || fixed === -1 ? undefined : fixed;
  const maxLength = Math.min(options.maxLength ?? files.maxLength, fixedLength ?? Infinity);
  const { maxCharacters, autoTruncate } = options;
  const size = source.signature.outputs.find(({ name }) => name === RESULT)?.shape.at(-1);
  const known = size === undefined || size === -1 ? undefined : size;
  return {
    encoder: new TokenEncoder(tokenizer, { maxLength, maxCharacters, fixedLength }),
    tokenizer,
    maxLength,
    files,
    autoTruncate,
    size: known,
    isSparse: source.signature.outputs.some(({ name }) => name === SPARSE),
    checkTensors: ([ids]) => {
      const length = ids?.shape[1] ?? 1;
      if (length <= maxLength) return;
      const limit = `the model takes ${maxLength} (maxLength in the options of model.json)`;
      throw new ServerError('TOO_LARGE', `This text has ${length} tokens; ${limit}.`);
    },
    calls: textCalls({
      tokenizer,
      maxCharacters,
      prompts: files.prompts,
      info: {
        maxInputLength: maxLength,
        ...info({ files, size: known }),
        ...(autoTruncate ? {} : { autoTruncate }),
      },
    }),
  };
}

/** A model whose outputs are classes, with their names; undefined if nothing gives them. Throws a plain Error, also if they are not as many as the classes. */
export async function openLabelledModel(
  source: TaskSource,
  options: ReadOptions,
): Promise<{ readonly model: EncoderModel; readonly labels: readonly string[] | undefined }> {
  const model = await openEncoderModel(source, options, ({ files, size }) => {
    const labels = source.labels ?? labelsOf(files.config);
    if (labels !== undefined && size !== undefined && labels.length !== size)
      throw new Error(`there are ${labels.length} labels for ${size} classes`);
    return labels === undefined ? {} : { id2label: Object.fromEntries(labels.entries()) };
  });
  return { model, labels: source.labels ?? labelsOf(model.files.config) };
}
