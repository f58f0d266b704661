import type { GraphNames } from '../onnx/structure.ts';
import { audioChoice } from './audio-architectures.ts';
import { imageChoice } from './image-architectures.ts';
import { otherKind } from './other-architectures.ts';

/** The task of a folder in the hub's layout, by the class name in its config.json and the names in its graph. */

/** Contents of config.json (transformers); anything may be missing or of another type. */
export type HubConfig = Readonly<Record<string, unknown>>;

export interface TaskChoice {
  /** Undefined: no task knows it, and the folder is served as tensors. */
  readonly task?: string;
  /** The task if the graph has no vectors but only scores of tokens. */
  readonly withoutVectors?: string;
  /** Why there is none, for the log. */
  readonly why?: string;
  /** The class is unknown: the graph may say more. */
  readonly isUnknown?: boolean;
  /** It writes down sounds letter by letter, by one graph. */
  readonly isCtc?: boolean;
  /** Its vectors are sparse, made of the logits of a masked language model. */
  readonly isSplade?: boolean;
}

/** Classes of transformers, without their ending `Model` or `ForMaskedLM`, whose hidden states of a text make its vector. */
const TEXT_ENCODERS = words(`
  Albert Bert BigBird Camembert ConvBert Data2VecText Deberta DebertaV2 DistilBert Electra Ernie ErnieM Esm EuroBert FNet
  Flaubert Gte IBert JinaBert Longformer MPNet MegatronBert MobileBert ModernBert Mra New NomicBert Nystromformer RemBert
  RoCBert RoFormer Roberta RobertaPreLayerNorm SqueezeBert T5Encoder MT5Encoder UMT5Encoder XLM XLMRoberta XLMRobertaXL
  Xmod Yoso
`);
/** The same for decoders, which were trained to continue texts. */
const TEXT_DECODERS = words(`
  Llama Mistral Qwen2 Qwen3 Gemma Gemma2 Gemma3Text GPT2 GPTNeo GPTNeoX Phi Phi3 OPT
`);
const TEXT_DECODER = /(ForCausalLM|LMHeadModel)$/;

/** Classes that end like this judge the tokens of a text. */
const TOKEN_TASKS = [
  ['ForTokenClassification', 'token-classification'],
  ['ForQuestionAnswering', 'question-answering'],
] as const;

/** Tasks of an encoder and a decoder. */
export const TEXT_TO_TEXT_TASKS: ReadonlySet<string> = new Set([
  ...['text2text-generation', 'summarization', 'translation'],
]);
/** Classes of transformers with an encoder and a decoder for texts, without their ending `ForConditionalGeneration` (Marian's is `MTModel`), by what they were trained for. */
const TRANSLATORS = words('Marian M2M100 MBart');
const SUMMARISERS = words('Pegasus PegasusX');
const TEXT_TO_TEXT = words('T5 MT5 UMT5 LongT5 Bart Blenderbot BlenderbotSmall');

/** Tasks whose graph takes token ids alone. */
const TEXT_TASKS: ReadonlySet<string> = new Set([
  ...['embeddings', 'reranking', 'text-classification'],
  'fill-mask',
  ...TOKEN_TASKS.map(([, task]) => task),
]);

/** Inputs that the graph of a text encoder, or of a decoder with its cache, may have. */
const TEXT_INPUT = /^(input_ids|attention_mask|token_type_ids|position_ids|use_cache_branch|past.*)$/;
const VECTOR_OUTPUTS = ['sentence_embedding', 'last_hidden_state', 'token_embeddings'];

/** The task of a class name; `names` are the folder's files. */
export function taskOfArchitecture(names: ReadonlySet<string>, config: HubConfig): TaskChoice {
  const architecture = architectureOf(config);
  if (architecture === 'VitsModel' || config['model_type'] === 'vits') return voiceChoice(names);
  if (architecture === '') return {};
  const image = imageChoice(architecture, names);
  if (image !== undefined) return image;
  const choice = audioChoice(architecture, names) ?? otherKind(architecture);
  if (choice !== undefined) return choice;
  const textToText = textToTextTask(architecture, config);
  if (textToText !== undefined) return { task: textToText };
  if (architecture.endsWith('ForSequenceClassification')) {
    const isOther = names.has('preprocessor_config.json') && !names.has('tokenizer.json');
    if (isOther) return unknown(architecture);
    return { task: isScorer(config) ? 'reranking' : 'text-classification' };
  }
  const byTokens = TOKEN_TASKS.find(([ending]) => architecture.endsWith(ending));
  if (byTokens !== undefined) return tokenChoice(architecture, byTokens[1], names);
  if (TEXT_DECODER.test(architecture)) return { task: 'chat' };
  return encoderChoice(architecture, names, config);
}

function voiceChoice(names: ReadonlySet<string>): TaskChoice {
  return names.has('vocab.json') || names.has('tokenizer.json')
    ? { task: 'text-to-speech' }
    : { why: 'VitsModel without a vocab.json or a tokenizer.json has no task' };
}

/** The task of a class with an encoder and a decoder for texts; undefined for others. BART is trained for one or the other, which its config tells. */
function textToTextTask(architecture: string, { task_specific_params: tasks }: HubConfig): string | undefined {
  const name = architecture.replace(/(ForConditionalGeneration|MTModel)$/, '');
  if (name === architecture) return undefined;
  if (TRANSLATORS.has(name)) return 'translation';
  const isSummariser = name === 'Bart' && typeof tasks === 'object' && tasks !== null && 'summarization' in tasks;
  if (SUMMARISERS.has(name) || isSummariser) return 'summarization';
  return TEXT_TO_TEXT.has(name) ? 'text2text-generation' : undefined;
}

function tokenChoice(architecture: string, task: string, names: ReadonlySet<string>): TaskChoice {
  if (!names.has('tokenizer.json')) return { why: `${architecture} without a tokenizer.json has no task` };
  return names.has('preprocessor_config.json') ? unknown(architecture) : { task };
}

function encoderChoice(architecture: string, names: ReadonlySet<string>, config: HubConfig): TaskChoice {
  const [, name = '', ending] = /^(.*?)(Model|ForMaskedLM)$/.exec(architecture) ?? [];
  if (!TEXT_ENCODERS.has(name) && !(ending === 'Model' && TEXT_DECODERS.has(name))) return unknown(architecture);
  if (!names.has('tokenizer.json')) return { why: `${architecture} without a tokenizer.json has no task` };
  // With a preprocessor it also reads images or sound; with a decoder it is not an encoder.
  const isMore = names.has('preprocessor_config.json') || config['is_encoder_decoder'] === true;
  if (isMore) return unknown(architecture);
  return ending === 'ForMaskedLM' ? { task: 'embeddings', withoutVectors: 'fill-mask' } : { task: 'embeddings' };
}

/** The choice once the graph's names are known too: the class name does not say with which head the model was exported. */
export function taskOfGraph(
  choice: TaskChoice,
  graph: GraphNames,
  { isText }: { readonly isText: boolean },
): TaskChoice {
  const { task } = choice;
  if (choice.isSplade === true) return spladeOfGraph(choice, graph);
  const vector = VECTOR_OUTPUTS.find((name) => graph.outputs.includes(name));
  const odd = graph.inputs.find((name) => !TEXT_INPUT.test(name));
  if (task === 'chat' && !graph.outputs.includes('logits') && vector !== undefined) return { task: 'embeddings' };
  // A graph that pools makes embeddings, whatever its class.
  if (choice.isUnknown === true && isText && odd === undefined && vector === 'sentence_embedding')
    return { task: 'embeddings' };
  if (task === undefined || !TEXT_TASKS.has(task)) return choice;
  if (odd !== undefined) return { why: `its graph takes ${odd}, which is no input of a text model for ${task}` };
  if (task !== 'embeddings' || vector !== undefined) return choice;
  return otherThanVectors(choice, graph);
}

/** The choice for a model that would make embeddings, but whose graph gives no vectors. */
function otherThanVectors({ withoutVectors }: TaskChoice, { outputs }: GraphNames): TaskChoice {
  if (withoutVectors !== undefined && outputs.includes('logits')) return { task: withoutVectors };
  return { why: `its graph gives ${outputs.join(', ')}, no vectors for embeddings (${VECTOR_OUTPUTS.join(', ')})` };
}

function spladeOfGraph(choice: TaskChoice, { outputs }: GraphNames): TaskChoice {
  return outputs.includes('logits')
    ? choice
    : { why: `its graph gives ${outputs.join(', ')}, no logits for sparse vectors` };
}

/** The first class name, or ''. */
function architectureOf({ architectures }: HubConfig): string {
  const first: unknown = Array.isArray(architectures) ? architectures[0] : undefined;
  return typeof first === 'string' ? first : '';
}

function unknown(architecture: string): TaskChoice {
  return { why: `no task knows the architecture ${architecture}`, isUnknown: true };
}

/**
 * Whether the model gives one score for a pair of texts. Cross-encoders have one label, but so has a regression head, which judges a single text;
 * sentence-transformers marks its cross-encoders, however they were trained.
 */
function isScorer(config: HubConfig): boolean {
  if (labelCount(config) !== 1) return false;
  const isMarked = 'sentence_transformers' in config || 'sbert_ce_default_activation_function' in config;
  return isMarked || config['problem_type'] !== 'regression';
}

function labelCount({ id2label, num_labels: count }: HubConfig): number {
  if (typeof id2label === 'object' && id2label !== null) return Object.keys(id2label).length;
  // The default of transformers.
  return typeof count === 'number' ? count : 2;
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}
