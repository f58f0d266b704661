import { isObject } from '../json.ts';
import { TEXT_TO_TEXT_TASKS, taskOfArchitecture, type HubConfig, type TaskChoice } from './architectures.ts';
import { readModules, type SentenceModule } from '../tasks/text/sentence-modules.ts';

/**
 * What a folder in the layout of the Hugging Face hub holds, judged only by the names of its files, config.json and modules.json, so that the same rules
 * serve a folder on disk and the list of files of a repository on the hub.
 */

/** A graph that a task needs, and where its file may be. */
export interface GraphNeed {
  /** Its role in `files` of model.json. */
  readonly role: string;
  /** File names without dtype suffix and `.onnx`, the preferred one first. */
  readonly stems: readonly string[];
  /** Folders to search, in order: '' or a path that ends with a slash. */
  readonly folders: readonly string[];
  readonly isOptional?: boolean;
  /** Needed only where the graph of this role has this stem. */
  readonly goesWith?: { readonly role: string; readonly stem: string };
}

export interface HubKind {
  /** The file that says so, as problems name it; undefined for a folder of weights without such a file. */
  readonly toldBy?: 'config.json' | 'model_index.json';
  /** Undefined: the default of model.json. */
  readonly task?: string;
  /** Why it has no task, if its files name a kind of model that no task knows. */
  readonly why?: string;
  readonly isUnknown?: boolean;
  readonly isSplade?: boolean;
  readonly withoutVectors?: string;
  readonly graphs: readonly GraphNeed[];
  /** Files that a task may read, by role; all of them exist. */
  readonly assets: Readonly<Record<string, string>>;
  readonly labels?: readonly string[];
}

/** What the folder's JSON files say. */
export interface HubFacts {
  readonly config?: HubConfig | undefined;
  /** modules.json of sentence-transformers. */
  readonly modules?: unknown;
  /** The content of the only `NAME.onnx.json`, in a folder without config.json. */
  readonly voice?: unknown;
}

const ANYWHERE = ['onnx/', ''] as const;
const MODEL: GraphNeed = { role: 'model', stems: ['model'], folders: ANYWHERE };
// Older exports call the graph of a decoder decoder_model_merged.
const DECODER_ONLY: GraphNeed = { role: 'model', stems: ['model', 'decoder_model_merged'], folders: ANYWHERE };
const SPEECH: readonly GraphNeed[] = [
  { role: 'model', stems: ['encoder_model'], folders: ANYWHERE },
  { role: 'decoder', stems: ['decoder_model_merged', 'decoder_model'], folders: ANYWHERE },
];
/** A decoder is one merged graph, or one for the first pass and one for further passes. */
const TEXT_TO_TEXT: readonly GraphNeed[] = [
  ...SPEECH,
  {
    ...{ role: 'decoderWithPast', stems: ['decoder_with_past_model'], folders: ANYWHERE },
    goesWith: { role: 'decoder', stem: 'decoder_model' },
  },
];
/** The graph of both gives logits, those of each only vectors. */
const IMAGE_TEXT: readonly GraphNeed[] = [
  { role: 'model', stems: ['model', 'vision_model'], folders: ANYWHERE },
  { role: 'textModel', stems: ['text_model'], folders: ANYWHERE, isOptional: true },
];
const AUDIO_TEXT: readonly GraphNeed[] = [
  { role: 'model', stems: ['model', 'audio_model'], folders: ANYWHERE },
  { role: 'textModel', stems: ['text_model'], folders: ANYWHERE, isOptional: true },
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
 * Says what a folder with these files is. `names` are relative paths with slashes; the facts are the contents of its JSON files; `stated` is the task that
 * model.json names, whose graphs are then needed.
 */
export function tellHubKind(
  names: ReadonlySet<string>,
  { config, modules, voice }: HubFacts,
  stated?: string,
): HubKind {
  if (names.has('model_index.json'))
    return {
      toldBy: 'model_index.json',
      task: 'text-to-image',
      graphs: DIFFUSION,
      assets: present(DIFFUSION_ASSETS, names),
    };
  if (config === undefined) return piperKind(names, voice) ?? { graphs: graphsOf(stated), assets: {} };
  if (isPiper(config))
    return {
      toldBy: 'config.json',
      task: 'text-to-speech',
      graphs: [MODEL],
      assets: { ...present(ASSETS, names), voice: 'config.json' },
    };
  const steps = readModules(modules);
  const choice = (steps && taskOfModules(steps)) ?? ownChoice(names, config);
  const told = withTask(config, stated, choice);
  const vocabulary = choice.isCtc === true || told.task === 'text-to-speech' ? vocabularyFile(names) : {};
  return {
    toldBy: 'config.json',
    assets: present({ ...ASSETS, ...poolingFile(steps ?? []), ...vocabulary }, names),
    ...told,
  };
}

/** The name of the settings of a voice of Piper, beside its graph; undefined if there are none, or of several voices. */
export function voiceFile(names: ReadonlySet<string>): string | undefined {
  const [file, ...others] = [...names].filter((name) => /^[^/]+\.onnx\.json$/.test(name));
  return file !== undefined && others.length === 0 && names.has(file.replace(/\.json$/, '')) ? file : undefined;
}

/** A voice of Piper: `NAME.onnx` and `NAME.onnx.json`. */
function piperKind(names: ReadonlySet<string>, voice: unknown): HubKind | undefined {
  const file = voiceFile(names);
  if (file === undefined || !isPiper(voice)) return undefined;
  const stem = file.replace(/\.onnx\.json$/, '');
  return { task: 'text-to-speech', graphs: [{ role: 'model', stems: [stem], folders: [''] }], assets: { voice: file } };
}

/** Whether settings are those of a voice of Piper. */
function isPiper(settings: unknown): boolean {
  return isObject(settings) && isObject(settings['phoneme_id_map']) && isObject(settings['audio']);
}

/** Tasks whose replies name classes of `id2label`. */
const LABELLED = /^(audio|image|text|token)-classification$|^object-detection$|^image-segmentation$/;

/** What follows from a choice of task: its graphs, and its labels if it has any. */
export function withTask(
  config: HubConfig,
  stated: string | undefined,
  { task, why, isUnknown = false, isSplade = false, isCtc = false, withoutVectors }: TaskChoice,
): Pick<HubKind, 'graphs' | 'task' | 'why' | 'isUnknown' | 'isSplade' | 'labels' | 'withoutVectors'> {
  const labels = task !== undefined && LABELLED.test(task) ? labelsOf(config) : undefined;
  return {
    graphs: isCtc ? [MODEL] : graphsOf(stated === undefined || stated === 'tensors' ? task : stated),
    ...(task === undefined ? {} : { task }),
    ...(why === undefined ? {} : { why, isUnknown }),
    ...(isSplade ? { isSplade } : {}),
    ...(labels === undefined ? {} : { labels }),
    ...(withoutVectors === undefined ? {} : { withoutVectors }),
  };
}

function ownChoice(names: ReadonlySet<string>, config: HubConfig): TaskChoice {
  // A pooling without modules.json was also written by sentence-transformers.
  const isPooled = names.has('tokenizer.json') && names.has('1_Pooling/config.json');
  return isPooled ? { task: 'embeddings' } : taskOfArchitecture(names, config);
}

function graphsOf(task: string | undefined): readonly GraphNeed[] {
  if (task === 'transcription') return SPEECH;
  if (TEXT_TO_TEXT_TASKS.has(task ?? '')) return TEXT_TO_TEXT;
  if (task === 'zero-shot-image-classification') return IMAGE_TEXT;
  if (task === 'zero-shot-audio-classification') return AUDIO_TEXT;
  return [task === 'chat' ? DECODER_ONLY : MODEL];
}

/** `id2label` as an array; undefined unless its keys are 0, 1, 2, ... and all values are texts. */
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

/** Modules of sentence-transformers (https://sbert.net) whose models do not give one dense vector a text: routers, sparse models, judges of pairs. */
const OTHER_MODELS: ReadonlySet<string> = new Set([
  ...['Asym', 'Router', 'LogitScore', 'SparseAutoEncoder', 'SparseStaticEmbedding', 'MultiVectorMask', 'TokenPooling'],
]);

/** The task of the modules of modules.json; undefined where they do not say: then `architectures` of config.json decides. */
function taskOfModules(modules: readonly SentenceModule[]): TaskChoice | undefined {
  const other = modules.find(({ type }) => OTHER_MODELS.has(type));
  if (other !== undefined) return { why: `embeddings has no module ${other.type} (modules.json)` };
  const [first, second] = modules;
  if (first?.type === 'MLMTransformer' && second?.type === 'SpladePooling')
    return { task: 'embeddings', isSplade: true };
  if (!modules.some(({ type }) => type === 'Pooling')) return undefined;
  return first?.type === 'Transformer'
    ? { task: 'embeddings' }
    : { why: `embeddings has no module ${first?.type ?? ''} (modules.json)` };
}

/** The file of the letters of a model with a CTC head. */
function vocabularyFile(names: ReadonlySet<string>): { readonly vocabulary: string } {
  return { vocabulary: names.has('vocab.json') ? 'vocab.json' : 'tokenizer.json' };
}

/** The file of the pooling, by its role, where modules.json says that it has a folder. */
function poolingFile(modules: readonly SentenceModule[]): { readonly pooling?: string } {
  const pooling = modules.findLast(({ type, path }) => /^(Splade)?Pooling$/.test(type) && path !== '');
  return pooling === undefined ? {} : { pooling: `${pooling.path}/config.json` };
}
