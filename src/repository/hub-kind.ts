/**
 * What a folder in the layout of the Hugging Face hub holds, told by the names of its files and its config.json alone: a folder on disk and the list
 * of files of a hub's repository are read by the same rules.
 */

/** A graph that a task needs, and where its file may lie. */
export interface GraphNeed {
  /** Its role in `files` of model.json. */
  readonly role: string;
  /** Names without dtype suffix and `.onnx`, the preferred one first. */
  readonly stems: readonly string[];
  /** Folders to look in, in order; '' or ending in a slash. */
  readonly folders: readonly string[];
  readonly isOptional?: boolean;
}

export interface HubKind {
  /** The file that says so, as problems name it; undefined: a folder of weights and nothing else. */
  readonly toldBy?: 'config.json' | 'model_index.json';
  /** Undefined: the default of model.json. */
  readonly task?: string;
  readonly graphs: readonly GraphNeed[];
  /** Files that a task may read, by role; all of them exist. */
  readonly assets: Readonly<Record<string, string>>;
  readonly labels?: readonly string[];
}

/** What is read from config.json (transformers); anything may be missing or of another type. */
export type HubConfig = Readonly<Record<string, unknown>>;

const ANYWHERE = ['onnx/', ''] as const;
const MODEL: GraphNeed = { role: 'model', stems: ['model'], folders: ANYWHERE };
// Older exports name the graph of a decoder after what it is.
const DECODER_ONLY: GraphNeed = { role: 'model', stems: ['model', 'decoder_model_merged'], folders: ANYWHERE };
const SPEECH: readonly GraphNeed[] = [
  { role: 'model', stems: ['encoder_model'], folders: ANYWHERE },
  { role: 'decoder', stems: ['decoder_model_merged', 'decoder_model'], folders: ANYWHERE },
];
const DIFFUSION: readonly GraphNeed[] = [
  { role: 'model', stems: ['model'], folders: ['unet/'] },
  { role: 'textEncoder', stems: ['model'], folders: ['text_encoder/'] },
  { role: 'vaeDecoder', stems: ['model'], folders: ['vae_decoder/'] },
  { role: 'vaeEncoder', stems: ['model'], folders: ['vae_encoder/'], isOptional: true },
];

const ASSETS = {
  config: 'config.json',
  generationConfig: 'generation_config.json',
  preprocessorConfig: 'preprocessor_config.json',
  tokenizer: 'tokenizer.json',
  tokenizerConfig: 'tokenizer_config.json',
  specialTokens: 'special_tokens_map.json',
  pooling: '1_Pooling/config.json',
  modules: 'modules.json',
  sentenceTransformers: 'config_sentence_transformers.json',
  sentenceBert: 'sentence_bert_config.json',
  chatTemplate: 'chat_template.jinja',
} as const;
const DIFFUSION_ASSETS = {
  modelIndex: 'model_index.json',
  scheduler: 'scheduler/scheduler_config.json',
  tokenizer: 'tokenizer/tokenizer.json',
  tokenizerConfig: 'tokenizer/tokenizer_config.json',
  specialTokens: 'tokenizer/special_tokens_map.json',
  unetConfig: 'unet/config.json',
  textEncoderConfig: 'text_encoder/config.json',
  vaeConfig: 'vae_decoder/config.json',
} as const;

/**
 * Tells what a folder with these files is. `names` are relative, with slashes; `config` is what config.json holds, if there is one; `stated` is the task
 * that model.json names, whose graphs are then looked for.
 */
export function tellHubKind(names: ReadonlySet<string>, config: HubConfig | undefined, stated?: string): HubKind {
  if (names.has('model_index.json'))
    return {
      toldBy: 'model_index.json',
      task: 'text-to-image',
      graphs: DIFFUSION,
      assets: present(DIFFUSION_ASSETS, names),
    };
  if (config === undefined) return { graphs: graphsOf(stated), assets: {} };
  const labels = labelsOf(config);
  const task = taskOf(names, config);
  const hasLabels = task?.endsWith('classification') === true && labels !== undefined;
  return {
    toldBy: 'config.json',
    graphs: graphsOf(stated === undefined || stated === 'tensors' ? task : stated),
    assets: present(ASSETS, names),
    ...(task === undefined ? {} : { task }),
    ...(hasLabels ? { labels } : {}),
  };
}

function graphsOf(task: string | undefined): readonly GraphNeed[] {
  if (task === 'transcription') return SPEECH;
  return [task === 'chat' ? DECODER_ONLY : MODEL];
}

/** The task that transformers' class name stands for; undefined where it stands for none of ours. */
function taskOf(names: ReadonlySet<string>, config: HubConfig): string | undefined {
  const { architectures } = config;
  const first: unknown = Array.isArray(architectures) ? architectures[0] : undefined;
  const architecture = typeof first === 'string' ? first : '';
  if (architecture.endsWith('ForSequenceClassification'))
    return labelCount(config) === 1 ? 'reranking' : 'text-classification';
  if (architecture.endsWith('ForImageClassification')) return 'image-classification';
  if (/(ForCausalLM|LMHeadModel)$/.test(architecture)) return 'chat';
  if (architecture === 'WhisperForConditionalGeneration') return 'transcription';
  return isTextEncoder(names, config, architecture) ? 'embeddings' : undefined;
}

/** A text encoder gives hidden states, whatever head it was trained with; sentence-transformers says so in files of its own. */
function isTextEncoder(names: ReadonlySet<string>, config: HubConfig, architecture: string): boolean {
  if (!names.has('tokenizer.json')) return false;
  if (names.has('1_Pooling/config.json') || names.has('modules.json')) return true;
  // With a preprocessor it reads images or sound as well; with a decoder it is no encoder.
  if (names.has('preprocessor_config.json') || config['is_encoder_decoder'] === true) return false;
  return /(Model|ForMaskedLM)$/.test(architecture);
}

function labelCount(config: HubConfig): number {
  const { id2label, num_labels: count } = config;
  if (typeof id2label === 'object' && id2label !== null) return Object.keys(id2label).length;
  // transformers' own default.
  return typeof count === 'number' ? count : 2;
}

/** `id2label` as an array; undefined unless its keys are 0, 1, 2, ... and all names are texts. */
function labelsOf(config: HubConfig): readonly string[] | undefined {
  const { id2label } = config;
  if (typeof id2label !== 'object' || id2label === null) return undefined;
  const count = Object.keys(id2label).length;
  const labels = Array.from({ length: count }, (_, id) => (id2label as Record<string, unknown>)[String(id)]);
  return count > 0 && labels.every((label) => typeof label === 'string') ? labels : undefined;
}

function present(files: Readonly<Record<string, string>>, names: ReadonlySet<string>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).filter(([, name]) => names.has(name)));
}
