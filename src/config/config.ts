import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { parseReferences } from './hub-reference.ts';
import {
  boolean,
  choice,
  hideCredentials,
  integer,
  ms,
  parseObject,
  parseOption,
  text,
  type Option,
} from './option.ts';
import { DTYPE_CHOICES } from '../dtype.ts';

export type { Option } from './option.ts';

/**
 * The one table of options. `carpool serve --help`, docs/configuration.md, /info and the reader below all come from it.
 * A flag beats the environment, which beats `carpool.json`, which beats the default. Nothing else reads the environment.
 */

const MIB = 1024 * 1024;

export const OPTIONS = {
  HOST: text('::', 'Address to listen on; `::` takes IPv6 and IPv4, and falls back to 0.0.0.0 where IPv6 is absent.'),
  PORT: integer(8000, [0, 65_535], 'Port to listen on; 0 takes a free one and logs it.'),
  // A path of this machine is nobody else's business.
  MODELS_DIR: { ...text('models', 'Folder of model folders, relative to the working folder.'), secret: true },
  MODELS: { type: 'list', default: [], doc: 'Names of the models to load, separated by commas; empty: all.' },
  CARPOOL_MODELS: {
    type: 'list',
    default: [],
    doc: 'Models to bring from a hub into MODELS_DIR at start, `[folder=]hf:owner/name[@revision][#dtype]`, separated by commas; what is complete is not fetched again.',
  },
  DTYPE: choice(
    'auto',
    DTYPE_CHOICES.join('|'),
    "Which weight files to take in folders of the hub's layout. auto: the most exact there is; `dtype` of model.json goes over it.",
  ),
  HF_TOKEN: { ...text('', 'Token for private and gated models; sent to HF_ENDPOINT alone.'), secret: true },
  HF_ENDPOINT: text('https://huggingface.co', 'The hub that models are pulled from: another one, or a mirror.'),
  DEFAULT_MODEL: text('', 'Model of `POST /predict`; empty: the only model, if there is just one.'),
  MODEL_OPTIONS: {
    type: 'object',
    default: {},
    doc: 'JSON object: model name to fields that override its model.json, e.g. `{"square":{"queue":{"maxItems":8}}}`.',
  },
  MODEL_CONTROL: choice(
    'none',
    'none|explicit|poll',
    'How models change at run time: not at all, by the repository API, or by watching the folder.',
  ),
  MANAGEMENT: choice(
    'loopback',
    'loopback|any|off',
    'From where loading and unloading by the repository API is taken: from this machine alone, from whoever reaches the port, from nowhere.',
  ),
  MODEL_POLL_INTERVAL_MS: ms(5000, 100, 'How often MODEL_CONTROL=poll looks at the folder.'),
  MODEL_ERRORS: choice(
    'exit',
    'exit|serve',
    'When a model cannot be loaded at start: exit with 1, or serve the others.',
  ),
  DEVICE: choice(
    'auto',
    'auto|cpu|cuda|cuda:N',
    'Where models run. auto: CUDA where it works, else CPU; cuda: every GPU, and refuse to start without; cuda:N: one GPU.',
    /^(auto|cpu|cuda(:\d+)?)$/,
  ),
  LANES: integer(0, [0, 256], 'Inference threads on a CPU; 0: chosen from the cores. With CUDA it is one per GPU.'),
  LANE_THREADS: integer(0, [0, 256], 'Intra-op threads of each lane on a CPU; 0: chosen from the cores.'),
  CPU_THREADS: integer(
    0,
    [0, 256],
    'Threads of the pool that prepares and finishes heavy items; 0: chosen from the cores.',
  ),
  REQUEST_TIMEOUT_MS: ms(90_000, 1, 'Time limit of a request. The container gateway cuts at 100 s.'),
  DRAIN_GRACE_MS: ms(30_000, 0, 'After SIGTERM: how long admitted work may take to finish.'),
  FAILED_GRACE_MS: ms(10_000, 0, 'After a run got stuck: how long until the process ends itself by SIGKILL.'),
  READY_WHEN_FULL: boolean(
    false,
    'Whether /ready stays 200 while a queue is full. Set it in queue mode: readiness must not flap there.',
  ),
  BODY_LIMIT_BYTES: integer(64 * MIB, [1024, 2048 * MIB], 'Largest request body, also after decompression.', 'bytes'),
  INPUT_URLS: choice(
    'public',
    'off|public|any',
    'Whether images that a request names by URL are fetched: from the internet alone, or from any address.',
  ),
  BODY_BUDGET_BYTES: integer(
    512 * MIB,
    [MIB, 1_000_000 * MIB],
    'Request bodies held at one time, all together, as far as they have arrived; no client gets all of it.',
    'bytes',
  ),
  HEADER_LIMIT_BYTES: integer(16_384, [1024, MIB], 'Largest request header.', 'bytes'),
  HEADERS_TIMEOUT_MS: ms(10_000, 100, 'How long a client may take to send the headers.'),
  BODY_TIMEOUT_MS: ms(60_000, 100, 'How long a client may take to send the whole request.'),
  KEEP_ALIVE_MS: ms(75_000, 0, 'How long an idle connection is kept, also before its first request.'),
  CORS_ORIGINS: {
    type: 'list',
    default: [],
    doc: 'Origins whose pages may read replies in a browser, e.g. `https://app.example.com`, separated by commas; `*`: all; empty: none.',
  },
  CONNECTION_LIMIT: integer(
    10_000,
    [1, 1_000_000],
    'Most connections at one time; beyond it idle ones give way, and probes are answered still.',
  ),
  ITEM_LIMIT: integer(10_000, [1, 1_000_000], 'Most items in one request.'),
  LOG_LEVEL: choice('info', 'debug|info|warn|error|silent', 'Lowest level that is logged.'),
  LOG_FORMAT: choice('auto', 'auto|json|pretty', 'auto: pretty on a terminal, JSON lines elsewhere.'),
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof OPTIONS;
export type Config = {
  readonly [Name in OptionName]: (typeof OPTIONS)[Name] extends { type: 'integer' }
    ? number
    : (typeof OPTIONS)[Name] extends { type: 'boolean' }
      ? boolean
      : (typeof OPTIONS)[Name] extends { type: 'list' }
        ? readonly string[]
        : (typeof OPTIONS)[Name] extends { type: 'object' }
          ? Readonly<Record<string, unknown>>
          : string;
};

/** Where values may come from, by name of the option. */
export interface ConfigSources {
  readonly flags: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Parsed carpool.json; values may be of their own JSON type. */
  readonly file: Readonly<Record<string, unknown>>;
}

/** Thrown with every problem at once. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** Reads and checks all options; pure but for a look at MODELS_DIR. Throws a ConfigError that lists every problem; the result is frozen. */
export function readConfig(sources: ConfigSources): Config {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  const origins = new Map<string, string>();
  for (const [name, option] of Object.entries<Option>(OPTIONS)) {
    const [origin, raw] = pick(name, sources);
    origins.set(name, origin);
    values[name] = option.default;
    if (raw === undefined) continue;
    const parsed = parseOption(option, raw);
    if ('problem' in parsed) problems.push(`${name} (${origin}): ${parsed.problem}`);
    else values[name] = parsed.value;
  }
  for (const name of [...Object.keys(sources.flags), ...Object.keys(sources.file)])
    if (!Object.hasOwn(OPTIONS, name)) problems.push(`${name}: there is no such option`);
  // carpool.json's default is one of its own models, which whoever names others did not ask for.
  if (
    origins.get('DEFAULT_MODEL') === 'carpool.json' &&
    !['carpool.json', 'default'].includes(origins.get('MODELS') ?? '')
  )
    values['DEFAULT_MODEL'] = isAmong(values) ? values['DEFAULT_MODEL'] : '';
  problems.push(...checkTogether(values as unknown as Config));
  if (problems.length > 0) throw new ConfigError(problems);
  const config = Object.freeze({
    ...(values as unknown as Config),
    MODELS_DIR: path.resolve(String(values['MODELS_DIR'])),
  });
  originsOf.set(config, origins);
  return config;
}

const originsOf = new WeakMap<Config, ReadonlyMap<string, string>>();

/** Where the value of an option came from: flag, environment, carpool.json or default. */
export function originOf(config: Config, name: OptionName): string {
  return originsOf.get(config)?.get(name) ?? 'default';
}

function isAmong({ MODELS, DEFAULT_MODEL }: Readonly<Record<string, unknown>>): boolean {
  return Array.isArray(MODELS) && MODELS.includes(DEFAULT_MODEL);
}

function pick(name: string, sources: ConfigSources): [string, unknown] {
  if (Object.hasOwn(sources.flags, name)) return ['flag', sources.flags[name]];
  const fromEnvironment = sources.env[name];
  if (fromEnvironment !== undefined && fromEnvironment !== '') return ['environment', fromEnvironment];
  return Object.hasOwn(sources.file, name) ? ['carpool.json', sources.file[name]] : ['default', undefined];
}

function checkTogether(config: Config): string[] {
  const problems = [...checkPlaces(config)];
  for (const [model, options] of Object.entries(config.MODEL_OPTIONS))
    if (typeof options !== 'object' || options === null || Array.isArray(options))
      problems.push(`MODEL_OPTIONS: ${model}: expected an object`);
  if (config.DEFAULT_MODEL !== '' && config.MODELS.length > 0 && !config.MODELS.includes(config.DEFAULT_MODEL))
    problems.push(`DEFAULT_MODEL: ${config.DEFAULT_MODEL} is not among MODELS`);
  if (config.BODY_BUDGET_BYTES < config.BODY_LIMIT_BYTES)
    problems.push('BODY_BUDGET_BYTES: smaller than BODY_LIMIT_BYTES');
  if (config.HEADERS_TIMEOUT_MS > config.BODY_TIMEOUT_MS)
    problems.push('HEADERS_TIMEOUT_MS: longer than BODY_TIMEOUT_MS, which includes it');
  for (const origin of config.CORS_ORIGINS.filter((text) => !isOrigin(text)))
    problems.push(
      `CORS_ORIGINS: ${origin} is no origin: expected a scheme, a host and perhaps a port, such as http://localhost:3000`,
    );
  return problems;
}

/** Whether it is what a browser sends as `Origin`; desktop shells and extensions have schemes of their own (tauri://localhost). */
function isOrigin(text: string): boolean {
  if (text === '*') return true;
  if (/^https?:/i.test(text)) return URL.canParse(text) && new URL(text).origin === text;
  return text !== 'file://' && /^[a-z][a-z\d+.-]*:\/\/[^\s/?#]+$/.test(text);
}

function checkPlaces({ MODELS_DIR, CARPOOL_MODELS, HF_ENDPOINT }: Config): string[] {
  const problems: string[] = [];
  const isThere = existsSync(MODELS_DIR);
  // A pull makes the folder.
  if (isThere ? !statSync(MODELS_DIR).isDirectory() : CARPOOL_MODELS.length === 0)
    problems.push(`MODELS_DIR: there is no folder ${MODELS_DIR}`);
  const wrong: string[] = [];
  parseReferences(CARPOOL_MODELS, wrong);
  problems.push(...wrong.map((problem) => `CARPOOL_MODELS: ${problem}`));
  if (!/^https?:\/\/[^/]/.test(HF_ENDPOINT) || !URL.canParse(HF_ENDPOINT))
    problems.push(`HF_ENDPOINT: expected the address of a hub, got ${hideCredentials(HF_ENDPOINT)}`);
  return problems;
}

/** Flags as the command line has them (`--port 8000`, `--port=8000`, `--ready-when-full`) by option name. */
export function parseFlags(argv: readonly string[]): Record<string, string> {
  const flags: Record<string, string> = {};
  const problems: string[] = [];
  for (let at = 0; at < argv.length; at += 1) {
    const [flag = '', inline] = (argv[at] ?? '').split(/=(.*)/s, 2);
    const name = flag.replace(/^--/, '').replaceAll('-', '_').toUpperCase();
    if (!flag.startsWith('--') || !Object.hasOwn(OPTIONS, name)) {
      problems.push(`${flag}: there is no such flag`);
      continue;
    }
    const next = argv[at + 1];
    if (inline !== undefined) flags[name] = inline;
    else if (next !== undefined && !next.startsWith('--')) {
      flags[name] = next;
      at += 1;
    } else if (OPTIONS[name as OptionName].type === 'boolean') flags[name] = 'true';
    else problems.push(`${flag}: a value is missing`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return flags;
}

/** Configuration of this process: its flags, its environment and `carpool.json` in the working folder. Throws ConfigError. */
export function readProcessConfig(argv: readonly string[]): Config {
  const flags = parseFlags(argv);
  return readConfig({ flags, env: process.env, file: readConfigFile('carpool.json') });
}

function readConfigFile(file: string): Record<string, unknown> {
  if (!existsSync(file)) return {};
  const parsed = parseObject(readFileSync(file, 'utf8'));
  if ('problem' in parsed) throw new ConfigError([`${file}: ${parsed.problem}`]);
  return parsed.value as Record<string, unknown>;
}

/** Whether the JSON log should be made readable: a person watches a terminal. */
export function isTerminal(): boolean {
  return process.stdout.isTTY;
}

/**
 * The environment for onnxruntime-node's install step: told to install, which .npmrc forbids it else, and the proxy by the names that its
 * library (global-agent) reads.
 */
export function installEnvironment(): NodeJS.ProcessEnv {
  const { env } = process;
  const https = env['HTTPS_PROXY'] ?? env['https_proxy'];
  return {
    ...env,
    ONNXRUNTIME_NODE_INSTALL: 'true',
    ...(https === undefined ? {} : { GLOBAL_AGENT_HTTPS_PROXY: https, GLOBAL_AGENT_HTTP_PROXY: https }),
  };
}
