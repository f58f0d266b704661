import { boolean, integer, list, text } from './option.ts';

/**
 * Rows of the table of options: those of text-embeddings-inference under its own names, so that its image can be replaced by one of this server and nothing
 * else changes. They count only with MODEL_ID, because some of the names (HOSTNAME, REVISION) are set in many environments for other reasons.
 * https://huggingface.co/docs/text-embeddings-inference/cli_arguments
 */
export const TEI_OPTIONS = {
  // It may be a path of this machine.
  MODEL_ID: {
    ...text(
      '',
      'Take the place of text-embeddings-inference: fetch and serve this model alone, `owner/name` of the hub or a folder. The rows from here to TEI_PORT are its options and count only with this one; an option of this server beats them.',
    ),
    secret: true,
  },
  REVISION: text('', 'TEI: branch, tag or commit of the model.'),
  SERVED_MODEL_NAME: text('', 'TEI: another name for the model. Any name is taken, because there is one model.'),
  POOLING: text('', 'TEI: `cls`, `mean`, `last-token` or `splade`, whatever the files of the model say.'),
  MAX_BATCH_TOKENS: integer(0, [0, 100_000_000], 'TEI: most tokens of a run; 0: what suits the device.'),
  MAX_BATCH_REQUESTS: integer(0, [0, 4096], 'TEI: most texts of a run; 0: the default.'),
  MAX_CLIENT_BATCH_SIZE: integer(0, [0, 1_000_000], 'TEI: most texts of a request; 0: ITEM_LIMIT.'),
  MAX_CONCURRENT_REQUESTS: integer(
    0,
    [0, 1_000_000],
    'TEI: most texts waiting and running; further ones get 429. 0: the default.',
  ),
  AUTO_TRUNCATE: boolean(true, 'TEI: cut texts that are too long, where the request does not say; else refuse them.'),
  DEFAULT_PROMPT_NAME: text('', 'TEI: name of the prompt for requests that name none.'),
  DEFAULT_PROMPT: text('', 'TEI: text that is put before each input, for requests that name no prompt.'),
  TOKENIZATION_WORKERS: integer(0, [0, 256], 'TEI: CPU_THREADS.'),
  PAYLOAD_LIMIT: integer(0, [0, 2_147_483_648], 'TEI: BODY_LIMIT_BYTES; 0: its default.'),
  HOSTNAME: text('', 'TEI: HOST, where it is an IP address.'),
  HF_API_TOKEN: { ...text('', 'TEI: HF_TOKEN.'), secret: true },
  JSON_OUTPUT: boolean(false, 'TEI: LOG_FORMAT=json.'),
  CORS_ALLOW_ORIGIN: list('TEI: CORS_ORIGINS.'),
  TEI_PORT: integer(
    3000,
    [0, 65_535],
    "Port with MODEL_ID where PORT is not set: that of TEI's program. The image of this server sets 80, as TEI's does.",
  ),
};

/** TEI's flags that have no effect here, and are taken all the same. */
export const IDLE_TEI_FLAGS = {
  'prometheus-port': 'value',
  'otlp-endpoint': 'value',
  'otlp-service-name': 'value',
  'uds-path': 'value',
  'huggingface-hub-cache': 'value',
  'dense-path': 'value',
  'device-id': 'value',
  'disable-spans': 'switch',
} as const;

export type TeiOptionName = keyof typeof TEI_OPTIONS;

export function isTeiOption(name: string): name is TeiOptionName {
  return Object.hasOwn(TEI_OPTIONS, name);
}
