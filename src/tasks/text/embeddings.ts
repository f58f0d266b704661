import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { shortFloat32 } from '../../tensors/float-text.ts';
import { typedView } from '../../tensors/tensor.ts';
import { readOptions } from '../options.ts';
import type { Item, Outputs, Prepared, ProgramSpec, Reply, Task, TaskSource } from '../task.ts';
import { TEXT_TYPES } from './text-input.ts';
import { promptOf } from './calls.ts';
import type { TextInput } from './encode.ts';
import { RESULT, SPARSE, type EncoderTicket } from './encoder-contract.ts';
import { encoderOptions, encoderProgram, openEncoderModel, poolingOption, type EncoderModel } from './encoder-model.ts';
import { readParameters } from '../parameters.ts';
import { cutOf, truncation } from './parameters.ts';
import { isLightText, readTextInput } from './text-items.ts';
import { encodeVector, ENCODINGS, type VectorEncoding } from './vector-reply.ts';

/** A text in, its vector out: `{"embedding": [...], "tokens": n}`. */

const options = z.strictObject({
  ...encoderOptions,
  ...poolingOption,
  /** Whether vectors are scaled to length 1 if the request does not say; default: as modules.json says, else true. */
  normalize: z.boolean().optional(),
  /** The prompt for requests that name none; default: what config_sentence_transformers.json says. */
  defaultPromptName: z.string().optional(),
  /** The same as a text. */
  defaultPrompt: z.string().optional(),
  /** Take token ids of clients that tokenise with this model's own tokenizer. */
  acceptTokenIds: z.boolean().default(false),
});

const parameters = z.strictObject({
  ...truncation,
  normalize: z.boolean().optional(),
  prompt_name: z.string().optional(),
  /** What the text is for, as other APIs have it: chooses a prompt if the model has one for that. */
  input_type: z.string().optional(),
  dimensions: z.number().int().min(1).optional(),
  encoding: z.enum(ENCODINGS).default('float'),
  all: z.boolean().default(false),
  sparse: z.boolean().default(false),
});

/** Vectors of this many bytes are printed within a millisecond. */
const LIGHT_REPLY_BYTES = 8_192;

interface Memo {
  readonly tokens: number;
  readonly encoding: VectorEncoding;
  readonly all: boolean;
  readonly sparse: boolean;
}

/** The text encoder, with the model's pooling. Throws a plain Error that names the file at fault. */
export async function chooseEmbeddingsProgram(source: Omit<TaskSource, 'signature'>): Promise<ProgramSpec> {
  return encoderProgram(source, 'embedding', readOptions(source, options));
}

/** Builds the task. Throws a plain Error that says what is wrong with the model or its options. */
export async function createEmbeddingsTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, options);
  const model = await openEncoderModel(source, own, ({ files, size }) => ({
    pooling: (own.pooling ?? files.pooling ?? []).join('+'),
    prompts: files.prompts,
    ...(size === undefined ? {} : { dimensions: size }),
  }));
  const { prompts, defaultPrompt, normalizes } = model.files;
  const name = own.defaultPromptName ?? defaultPrompt;
  if (name !== undefined && !Object.hasOwn(prompts, name)) throw new Error(`there is no prompt named ${name}`);
  const usual = own.defaultPrompt ?? (name === undefined ? '' : (prompts[name] ?? ''));
  return {
    rawTypes: TEXT_TYPES,
    isLight: isLightText,
    checkTensors: model.checkTensors,
    prepare: (item) =>
      prepare(item, { model, usual, normalize: own.normalize ?? normalizes, acceptTokenIds: own.acceptTokenIds }),
    isLightReply: (outputBytes) => outputBytes <= LIGHT_REPLY_BYTES,
    finish: (outputs, memo) => finish(outputs, memo as Memo),
    calls: model.calls,
  };
}

interface Ways {
  readonly model: EncoderModel;
  /** The prompt for requests that name none. */
  readonly usual: string;
  readonly normalize: boolean;
  readonly acceptTokenIds: boolean;
}

/**
 * Clients that tokenise for OpenAI's models send ids of OpenAI's vocabulary. Most of these are valid ids here too, but of other words, and the
 * vectors would not show the mistake.
 */
const TOKEN_IDS_REFUSED =
  "This model takes texts, not token ids: clients send those of OpenAI's tokenizers, which stand for other words here. Send the text " +
  '(LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False)); where a client uses the tokenizer of this model itself, set ' +
  '"options": {"acceptTokenIds": true} in model.json.';

function prepare(item: Item, { model, usual, normalize, acceptTokenIds }: Ways): Prepared {
  const asked = readParameters(item, parameters);
  const { dimensions, all, sparse } = asked;
  if (sparse && !model.isSparse)
    // In TEI's words, which clients know; the parameter keeps a dialect from blaming one of the texts.
    throw new ServerError('BAD_REQUEST', 'model is not a splade model', { param: 'sparse', reason: 'wrong_task' });
  if (dimensions !== undefined && model.size !== undefined && dimensions > model.size)
    throw new ServerError(
      'INVALID_INPUT',
      `dimensions must be at most ${model.size}, the size of this model's vectors.`,
      { param: 'dimensions' },
    );
  const input = readTextInput(item);
  if (typeof input !== 'string' && !acceptTokenIds)
    throw new ServerError('INVALID_INPUT', TOKEN_IDS_REFUSED, { reason: 'token_ids_not_accepted' });
  const text = prompted(input, model, { ...asked, usual });
  const encoded = model.encoder.single(text, cutOf(asked, model.autoTruncate));
  const wanted: EncoderTicket = {
    // Vectors of tokens stay as the graph gives them, unless the request asks otherwise.
    normalize: asked.normalize ?? (normalize && !all),
    ...(all ? { all } : {}),
    ...(sparse ? { sparse } : {}),
    ...(dimensions === undefined ? {} : { dimensions }),
  };
  const memo: Memo = { tokens: encoded.ids.length, encoding: asked.encoding, all, sparse };
  return { ...model.encoder.work(encoded, wanted), memo };
}

/** Names of prompts by the words that APIs have for the use of a text: those of sentence-transformers, Cohere, Jina, NVIDIA and Voyage. */
const PROMPT_NAMES: readonly (readonly string[])[] = [
  ['query', 'search_query', 'retrieval.query'],
  ['document', 'passage', 'corpus', 'search_document', 'retrieval.passage'],
  ['clustering', 'separation'],
];

/** The name of the model's prompt for a use of texts; undefined if it has none. */
function promptFor(use: string, prompts: Readonly<Record<string, string>>): string | undefined {
  const others = PROMPT_NAMES.find((names) => names.includes(use)) ?? [];
  return [use, ...others].find((name) => Object.hasOwn(prompts, name));
}

function prompted(
  text: TextInput,
  { files: { prompts } }: EncoderModel,
  asked: {
    readonly prompt_name?: string | undefined;
    readonly input_type?: string | undefined;
    readonly usual: string;
  },
): TextInput {
  const { prompt_name: named, input_type: use, usual } = asked;
  if (typeof text === 'string') {
    const name = named ?? (use === undefined ? undefined : promptFor(use, prompts));
    return (name === undefined ? usual : promptOf(prompts, name)) + text;
  }
  if (named !== undefined)
    throw new ServerError('INVALID_INPUT', 'prompt_name goes with a text, not with token ids.', {
      param: 'prompt_name',
    });
  return text;
}

function finish(outputs: Outputs, { tokens, encoding, all, sparse }: Memo): Reply {
  if (sparse) return { json: { embedding: pairsOf(outputs), tokens } };
  const tensor = outputs[RESULT];
  const values = tensor === undefined || tensor.datatype === 'BYTES' ? undefined : typedView(tensor);
  if (tensor === undefined || !(values instanceof Float32Array)) throw new Error('the run gave no vector');
  const size = tensor.shape.at(-1) ?? values.length;
  const vectors: (number[] | string)[] = [];
  for (let start = 0; start < values.length; start += size)
    vectors.push(encodeVector(values.subarray(start, start + size), encoding));
  return { json: { embedding: all ? vectors : vectors[0], tokens } };
}

function pairsOf({ [SPARSE]: tensor }: Outputs): { readonly index: number; readonly value: number }[] {
  const values = tensor === undefined || tensor.datatype === 'BYTES' ? undefined : typedView(tensor);
  if (!(values instanceof Float32Array)) throw new Error('the run gave no sparse vector');
  return Array.from({ length: values.length / 2 }, (_, at) => ({
    index: values[2 * at] ?? 0,
    value: shortFloat32(values[2 * at + 1] ?? 0),
  }));
}
