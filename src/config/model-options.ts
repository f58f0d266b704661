import { DTYPE_CHOICES } from '../dtype.ts';
import { choice, integer, list, ms, object, text } from './option.ts';

const MIB = 1024 * 1024;

/** Options of models: where they come from, which are served, and when they are loaded. */
export const MODELS = {
  // Paths of this machine are not shown to clients.
  MODELS_DIR: { ...text('models', 'Folder of model folders, relative to the working folder.'), secret: true },
  MODELS: list('Names of the models to load, separated by commas; empty: all.'),
  CARPOOL_MODELS: list(
    'Models to fetch from a hub into MODELS_DIR at start, `[folder=]hf:owner/name[@revision][#dtype]`, separated by commas; complete ones are not fetched again.',
  ),
  DTYPE: {
    ...choice(
      'auto',
      DTYPE_CHOICES,
      "Which weight files to take in folders of the hub's layout. auto: the most exact there is; `dtype` of model.json overrides it. TEI's words float16 and float32 mean auto, because weights are not converted.",
    ),
    same: { float16: 'auto', float32: 'auto' },
  },
  HF_TOKEN: { ...text('', 'Token for private and gated models; sent to HF_ENDPOINT alone.'), secret: true },
  HF_ENDPOINT: text('https://huggingface.co', 'The hub that models are pulled from: another one, or a mirror.'),
  DEFAULT_MODEL: text('', 'Model of `POST /predict`; empty: the only model, if there is just one.'),
  MODEL_ALIASES: list(
    'Other names that requests may call models by, `alias=model`, separated by commas, e.g. `gpt-4o-mini=chat`.',
  ),
  MODEL_OPTIONS: object(
    'JSON object: model name to fields that override its model.json, e.g. `{"square":{"queue":{"maxItems":8}}}`.',
  ),
  MODEL_CONTROL: choice(
    'none',
    ['none', 'explicit', 'poll'],
    'How models change at run time: not at all, by the repository API, or by watching the folder.',
  ),
  MANAGEMENT: choice(
    'loopback',
    ['loopback', 'any', 'off'],
    'Who may load and unload models by the repository API: clients on this machine, any client, none.',
  ),
  MODEL_LOADING: choice(
    'eager',
    ['eager', 'lazy'],
    'When models are loaded: at start, or when the first request for one comes, which waits for it. `loading` of model.json overrides it.',
  ),
  MODEL_KEEP_LOADED_MS: ms(
    300_000,
    0,
    'How long a lazy model stays loaded without a request; 0: until its memory is needed. `keepLoadedMs` of model.json overrides it.',
  ),
  MODEL_MEMORY_BYTES: integer(
    0,
    [0, 1_000_000_000 * MIB],
    'Most bytes of files of all lazy models that are loaded: those that have not been used for longest make room. 0: no limit.',
    'bytes',
  ),
  MODEL_POLL_INTERVAL_MS: ms(5000, 100, 'How often MODEL_CONTROL=poll looks at the folder.'),
  MODEL_ERRORS: choice(
    'exit',
    ['exit', 'serve'],
    'When a model cannot be loaded at start: exit with 1, or serve the others.',
  ),
};
