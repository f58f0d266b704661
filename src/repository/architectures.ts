import type { GraphNames } from '../onnx/structure.ts';

/** Which of our tasks a folder of the hub's layout is for, by the class name in its config.json and the names in its graph. */

/** What is read from config.json (transformers); anything may be missing or of another type. */
export type HubConfig = Readonly<Record<string, unknown>>;

export interface TaskChoice {
  /** Undefined: none of ours, the folder is served as tensors. */
  readonly task?: string;
  /** Why it is none, for the log. */
  readonly why?: string;
  /** Nothing is known of the class: the graph may say more. */
  readonly isUnknown?: boolean;
}

/** Classes of transformers, without `Model` or `ForMaskedLM` behind, whose hidden states of a text make its vector. */
const TEXT_ENCODERS = words(`
  Albert Bert BigBird Camembert ConvBert Data2VecText Deberta DebertaV2 DistilBert Electra Ernie ErnieM Esm EuroBert FNet
  Flaubert Gte IBert JinaBert Longformer MPNet MegatronBert MobileBert ModernBert Mra New NomicBert Nystromformer RemBert
  RoCBert RoFormer Roberta RobertaPreLayerNorm SqueezeBert T5Encoder MT5Encoder UMT5Encoder XLM XLMRoberta XLMRobertaXL
  Xmod Yoso
`);
/** Likewise of decoders, which were trained to go on with texts. */
const TEXT_DECODERS = words(`
  Llama Mistral Qwen2 Qwen3 Gemma Gemma2 Gemma3Text GPT2 GPTNeo GPTNeoX Phi Phi3 OPT
`);
const TEXT_DECODER = /(ForCausalLM|LMHeadModel)$/;
/** Beginnings of classes that classify sound, with the same ending as those that classify texts. */
const SOUND = /^(Data2VecAudio|Hubert|SEW|UniSpeech|Wav2Vec2|WavLM)/;

/** What the graph of a text encoder or of a decoder with its cache takes. */
const TEXT_INPUT = /^(input_ids|attention_mask|token_type_ids|position_ids|use_cache_branch|past.*)$/;
const VECTOR_OUTPUTS = ['sentence_embedding', 'last_hidden_state', 'token_embeddings'];

/** The task of a class name; `names` are the folder's files. */
export function taskOfArchitecture(names: ReadonlySet<string>, config: HubConfig): TaskChoice {
  const architecture = architectureOf(config);
  if (architecture === '') return {};
  if (architecture.endsWith('ForImageClassification')) return { task: 'image-classification' };
  if (architecture === 'WhisperForConditionalGeneration') return { task: 'transcription' };
  if (architecture.endsWith('ForSequenceClassification')) {
    const isOther = SOUND.test(architecture) || (names.has('preprocessor_config.json') && !names.has('tokenizer.json'));
    if (isOther) return unknown(architecture);
    return { task: isScorer(config) ? 'reranking' : 'text-classification' };
  }
  if (TEXT_DECODER.test(architecture)) return { task: 'chat' };
  return encoderChoice(architecture, names, config);
}

function encoderChoice(architecture: string, names: ReadonlySet<string>, config: HubConfig): TaskChoice {
  const [, name = '', ending] = /^(.*?)(Model|ForMaskedLM)$/.exec(architecture) ?? [];
  if (!TEXT_ENCODERS.has(name) && !(ending === 'Model' && TEXT_DECODERS.has(name))) return unknown(architecture);
  if (!names.has('tokenizer.json')) return { why: `${architecture} without a tokenizer.json has no task` };
  // With a preprocessor it reads images or sound as well; with a decoder it is no encoder.
  const isMore = names.has('preprocessor_config.json') || config['is_encoder_decoder'] === true;
  return isMore ? unknown(architecture) : { task: 'embeddings' };
}

/** The choice once the graph's names are known too: a class name does not say with which head its model was exported. */
export function taskOfGraph(
  choice: TaskChoice,
  graph: GraphNames,
  { isText }: { readonly isText: boolean },
): TaskChoice {
  const { task } = choice;
  const vector = VECTOR_OUTPUTS.find((name) => graph.outputs.includes(name));
  const odd = graph.inputs.find((name) => !TEXT_INPUT.test(name));
  if (task === 'chat' && !graph.outputs.includes('logits') && vector !== undefined) return { task: 'embeddings' };
  // A graph that pools by itself says what it is for.
  if (choice.isUnknown === true && isText && odd === undefined && vector === 'sentence_embedding')
    return { task: 'embeddings' };
  if (task !== 'embeddings' && task !== 'reranking' && task !== 'text-classification') return choice;
  if (odd !== undefined) return { why: `its graph takes ${odd}, which is no input of a text model for ${task}` };
  if (task !== 'embeddings' || vector !== undefined) return choice;
  const outputs = graph.outputs.join(', ');
  return { why: `its graph gives ${outputs}, no vectors for embeddings (${VECTOR_OUTPUTS.join(', ')})` };
}

/** The first class name; empty where there is none. */
function architectureOf({ architectures }: HubConfig): string {
  const first: unknown = Array.isArray(architectures) ? architectures[0] : undefined;
  return typeof first === 'string' ? first : '';
}

function unknown(architecture: string): TaskChoice {
  return { why: `no task knows the architecture ${architecture}`, isUnknown: true };
}

/**
 * One score for a pair of texts: cross-encoders have one label. So has a regression head, which judges a single text; sentence-transformers
 * marks its cross-encoders, whatever they were trained on.
 */
function isScorer(config: HubConfig): boolean {
  if (labelCount(config) !== 1) return false;
  const isMarked = 'sentence_transformers' in config || 'sbert_ce_default_activation_function' in config;
  return isMarked || config['problem_type'] !== 'regression';
}

function labelCount({ id2label, num_labels: count }: HubConfig): number {
  if (typeof id2label === 'object' && id2label !== null) return Object.keys(id2label).length;
  // transformers' own default.
  return typeof count === 'number' ? count : 2;
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}
