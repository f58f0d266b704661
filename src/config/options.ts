import { ACCESS_OPTIONS } from './access-options.ts';
import { MODELS } from './model-options.ts';
import { NODE_OPTIONS } from './node-options.ts';
import { boolean, choice, integer, list, ms, oneOf, text } from './option.ts';
import { STORAGE_OPTIONS } from './storage-options.ts';
import { TEI_OPTIONS } from './tei-options.ts';
import { TRACING_OPTIONS } from './tracing-options.ts';

const MIB = 1024 * 1024;

/** Where models run, as DEVICE says it. */
export type DeviceChoice = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`;

function isDeviceChoice(text: string): text is DeviceChoice {
  return /^(auto|cpu|cuda(:\d+)?)$/.test(text);
}

/** The one table of options: `carpool serve --help`, docs/configuration.md, /info and `read.ts` all take them from here. */

export const OPTIONS = {
  HOST: text('::', 'Address to listen on; `::` takes IPv6 and IPv4, and falls back to 0.0.0.0 where IPv6 is absent.'),
  PORT: integer(8000, [0, 65_535], 'Port to listen on; 0 takes a free one and logs it.'),
  PROBE_PORT: integer(
    -1,
    [-1, 65_535],
    'Another port, for health probes alone: a thread of its own answers them, whatever keeps the main thread busy. -1: none; 0 takes a free one and logs it.',
  ),
  MAIN_STALL_MS: ms(
    20_000,
    1000,
    'On PROBE_PORT: how long the main thread may stand still until /health is 503. A restart costs a load of all models.',
  ),
  ...ACCESS_OPTIONS,
  ...MODELS,
  DEVICE: oneOf<DeviceChoice>(
    'auto',
    { choices: 'auto|cpu|cuda|cuda:N', isOne: isDeviceChoice },
    'Where models run. auto: CUDA where it works, else CPU; cuda: every GPU, and refuse to start without; cuda:N: one GPU.',
  ),
  LANES: integer(0, [0, 256], 'Inference threads on a CPU; 0: chosen from the cores. With CUDA it is one per GPU.'),
  LANE_THREADS: integer(0, [0, 256], 'Intra-op threads of each lane on a CPU; 0: chosen from the cores.'),
  CPU_THREADS: integer(
    0,
    [0, 256],
    'Threads of the pool that prepares and finishes heavy items; 0: chosen from the cores.',
  ),
  REQUEST_TIMEOUT_MS: ms(90_000, 1, 'Time limit of a request. The container gateway cuts at 100 s.'),
  INFERENCE_API: boolean(true, 'Whether inference requests are taken over HTTP; `carpool work` does without.'),
  JOB_SOURCE: choice(
    'none',
    ['none', 'kelpie', 'nats', 'redis', 'sqs'],
    'The kind of queue that jobs are pulled from, beside requests over HTTP.',
  ),
  JOB_QUEUE: text('carpool', 'Name of that queue. nats: a stream; redis: the key of a stream; sqs: its name or URL.'),
  JOB_QUEUE_LIMIT: integer(
    100_000,
    [1, 100_000_000],
    'nats, redis: beyond so many jobs in the queue, `POST /v1/jobs` is refused.',
  ),
  JOB_RESULTS_QUEUE: text('', 'sqs: name or URL of the queue that results go to.'),
  NATS_URL: {
    ...text(
      'nats://localhost:4222',
      'NATS servers of JOB_SOURCE=nats, separated by commas; `tls:` for TLS, `user:password@` or `token@` before the first.',
    ),
    secret: true,
  },
  NATS_CREDS: { ...text('', 'File of credentials (`.creds`) for NATS; empty: none.'), secret: true },
  NATS_CA: {
    ...text('', 'File of certificates that NATS servers may be signed with; empty: those of Node.'),
    secret: true,
  },
  REDIS_URL: {
    ...text('redis://localhost:6379', 'Redis server of JOB_SOURCE=redis; `rediss:` for TLS.'),
    secret: true,
  },
  KELPIE_API_URL: text('https://kelpie.saladexamples.com', "Kelpie's API, of JOB_SOURCE=kelpie."),
  KELPIE_API_KEY: {
    ...text('', 'Key of that API; empty: SALAD_API_KEY, or else the token of the SaladCloud node, identifies it.'),
    secret: true,
  },
  KELPIE_JOB_ID: text(
    '',
    "Set by Kelpie's worker where this process is the command of a job: it then ends by the signal that stops it.",
  ),
  KELPIE_POLL_MS: ms(10_000, 1, 'kelpie: how long until the API is asked again after it had no job.'),
  MAX_TIME_WITH_NO_WORK_S: integer(
    0,
    [0, 30 * 86_400],
    'kelpie: a node that has had no work for so long is replaced, as it may be banned from the jobs that there are; 0: never.',
    's',
  ),
  MAX_JOB_FAILURES: integer(5, [1, 1000], 'kelpie: a node on which so many jobs in a row have failed is replaced.'),
  // Paths of this machine are not shown to clients.
  JOB_MAP: {
    ...text(
      '',
      'A module (JavaScript, or TypeScript where Node takes it) that turns the messages of the queue into jobs, and results into reports; empty: they are jobs.',
    ),
    secret: true,
  },
  JOB_MAP_TIMEOUT_MS: ms(10_000, 1, 'Time limit of loading JOB_MAP, and of each call of its functions.'),
  JOB_SHARE_PERCENT: integer(
    50,
    [1, 99],
    'The part of the lane time that jobs get where there is too little for them and for requests over HTTP; either gets what the other leaves.',
    'percent',
  ),
  JOB_LEASE_MS: ms(
    0,
    0,
    'After a server has died, another one takes its jobs over when so much time has passed. 0: a minute; with sqs five.',
  ),
  JOB_ATTEMPTS: integer(4, [1, 1000], 'How often a job that fails is tried; then it is a dead letter.'),
  JOB_RESULT_TTL_MS: integer(
    86_400_000,
    [1000, 30 * 86_400_000],
    'How long results are kept in the queue and in JOBS_DIR.',
    'ms',
  ),
  // Paths of this machine are not shown to clients.
  JOBS_DIR: {
    ...text('', 'Folder in which jobs of `POST /v1/jobs`, files and batches are kept; empty: none are taken.'),
    secret: true,
  },
  JOB_STORE_BYTES: integer(
    1024 * MIB,
    [MIB, 1_000_000 * MIB],
    'Most bytes of all jobs in JOBS_DIR, results included; beyond it new ones are refused.',
    'bytes',
  ),
  FILE_STORE_BYTES: integer(
    4096 * MIB,
    [MIB, 100_000_000 * MIB],
    'Most bytes of the files of `/v1/files` in JOBS_DIR: half for requests, half for results. Beyond it uploads are refused, and batches wait.',
    'bytes',
  ),
  FILE_LIMIT_BYTES: integer(200 * MIB, [1024, 100_000_000 * MIB], 'Largest file of `POST /v1/files`.', 'bytes'),
  FILE_TTL_MS: integer(
    30 * 86_400_000,
    [1000, 365 * 86_400_000],
    'How long files that do not say otherwise, and batches that have ended, are kept.',
    'ms',
  ),
  BATCH_LINES: integer(50_000, [1, 1_000_000], 'Most requests in the input file of `POST /v1/batches`.'),
  JOB_TIMEOUT_MS: ms(3_600_000, 1, 'Time limit of a job that names none; its wait in this server counts.'),
  JOB_WAIT_MS: ms(
    600_000,
    0,
    "How long a request of SaladCloud's queue worker (`Salad-Job-Id`) waits for room in a full queue; then it is refused.",
  ),
  JOB_REPLIES_BYTES: integer(
    64 * MIB,
    [0, 4096 * MIB],
    'Replies to that worker that are kept for ten minutes, for an attempt that comes again; 0: none.',
    'bytes',
  ),
  JOB_OUTPUT: text(
    '',
    'Place of answers that are too large for a reply to that worker (10 MB), e.g. `s3://bucket/answers/`; the reply says where each lies. Empty: they are refused.',
  ),
  JOB_PREFETCH: integer(8, [0, 1000], 'Jobs whose inputs are fetched beside those that the lanes have room for.'),
  JOB_COMMANDS: list(
    'Programs that jobs of a queue may run, as they name them, separated by commas; `true`: any program; empty: none. Whoever can write to the queue runs them with the rights of this server.',
  ),
  // Paths of this machine are not shown to clients.
  JOB_FOLDERS: {
    ...list(
      'Folders, beside the next three, that such jobs may name in `local_path`, with all below them. Their files are deleted before and after each job that uses them.',
    ),
    secret: true,
  },
  INPUT_DIR: {
    ...text('/input', 'Folder of every command, for its inputs; emptied before and after each.'),
    secret: true,
  },
  OUTPUT_DIR: {
    ...text('/output', 'Folder of every command, for its outputs; emptied before and after each.'),
    secret: true,
  },
  CHECKPOINT_DIR: {
    ...text('/checkpoint', 'Folder of every command, for its checkpoints; emptied before and after each.'),
    secret: true,
  },
  KELPIE_STATE_FILE: {
    ...text('kelpie-state.json', 'File that tells commands which of their files are being moved.'),
    secret: true,
  },
  JOB_SETTLE_MS: ms(1000, 10, 'A checkpoint is stored when it has not changed for so long.'),
  JOB_STOP_GRACE_MS: ms(
    15_000,
    0,
    'How long a command may take to end after SIGINT; then it gets SIGKILL. In a drain, the rest of DRAIN_GRACE_MS is for its last checkpoint.',
  ),
  JOB_UPLOAD_ERRORS: integer(
    3,
    [1, 1000],
    'A command is stopped and given back when so many attempts in a row to store its checkpoints have failed.',
  ),
  JOB_UPLOAD_LATE_MS: ms(
    3_600_000,
    1000,
    'A command is stopped and given back when its checkpoints have waited so long to be stored.',
  ),
  ...STORAGE_OPTIONS,
  WEBHOOK_SECRET: {
    ...text(
      '',
      'Key that signs webhooks (Standard Webhooks): base64, perhaps behind `whsec_`; empty: they are not signed.',
    ),
    secret: true,
  },
  WEBHOOK_HOSTS: list(
    'Hosts (`name` or `name:port`) that webhooks may go to though their addresses are private, separated by commas; any public host may be used.',
  ),
  DRAIN_GRACE_MS: ms(30_000, 0, 'After SIGTERM: how long admitted work may take to finish.'),
  FAILED_GRACE_MS: ms(10_000, 0, 'After the server has failed: how long until the process ends itself by SIGKILL.'),
  READY_WHEN_FULL: boolean(
    false,
    'Whether /ready stays 200 while a queue is full. Set it in queue mode: readiness must not flap there.',
  ),
  HEALTH_MEANS_READY: boolean(
    false,
    'Whether /health is the same as /ready, for deployments that probe it for readiness. Never with a liveness probe on it: a full queue would restart the server.',
  ),
  BODY_LIMIT_BYTES: integer(64 * MIB, [1024, 2048 * MIB], 'Largest request body, also after decompression.', 'bytes'),
  INPUT_URLS: choice(
    'public',
    ['off', 'public', 'any'],
    'Whether images that a request names by URL are fetched: not at all, from public addresses, or from any address.',
  ),
  BODY_BUDGET_BYTES: integer(
    512 * MIB,
    [MIB, 1_000_000 * MIB],
    'Memory of all request bodies at one time, counted as they arrive, with room to grow; no client gets all of it.',
    'bytes',
  ),
  HEADER_LIMIT_BYTES: integer(16_384, [1024, MIB], 'Largest request header.', 'bytes'),
  HEADERS_TIMEOUT_MS: ms(10_000, 100, 'How long a client may take to send the headers.'),
  BODY_TIMEOUT_MS: ms(60_000, 100, 'How long a client may take to send the whole request.'),
  KEEP_ALIVE_MS: ms(75_000, 0, 'How long an idle connection is kept, before its first request too.'),
  CORS_ORIGINS: list(
    'Origins whose pages may read replies in a browser, e.g. `https://app.example.com`, separated by commas; `*`: all; empty: none.',
  ),
  CONNECTION_LIMIT: integer(
    10_000,
    [1, 1_000_000],
    'Most connections at one time; beyond it idle ones are closed, and probes are still answered.',
  ),
  SALAD_METADATA_URI: text('http://169.254.169.254', "SaladCloud's metadata service; asked only on SaladCloud."),
  SALAD_MACHINE_ID: text(
    '',
    'Set by SaladCloud: the node. Without it and the next one the server is not on SaladCloud.',
  ),
  SALAD_CONTAINER_GROUP_ID: text('', 'Set by SaladCloud: the container group.'),
  SALAD_ORGANIZATION_NAME: text('', 'Set by SaladCloud: the organization, beside SALAD_API_KEY.'),
  SALAD_PROJECT_NAME: text('', "Set by SaladCloud: the project, for Kelpie's API."),
  SALAD_API_KEY: {
    ...text('', "Key of SaladCloud's API, by which Kelpie's API may be asked; empty: none."),
    secret: true,
  },
  ...NODE_OPTIONS,
  ...TRACING_OPTIONS,
  ...TEI_OPTIONS,
  ITEM_LIMIT: integer(10_000, [1, 1_000_000], 'Most items in one request.'),
  LOG_LEVEL: choice('info', ['debug', 'info', 'warn', 'error', 'silent'], 'Lowest level that is logged.'),
  LOG_FORMAT: choice('auto', ['auto', 'json', 'pretty'], 'auto: pretty on a terminal, JSON lines elsewhere.'),
};

export type OptionName = keyof typeof OPTIONS;

/** The values in force; frozen. */
export type Config = { readonly [Name in OptionName]: (typeof OPTIONS)[Name]['default'] };
