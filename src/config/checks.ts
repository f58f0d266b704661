import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseReferences } from './hub-reference.ts';
import { isObject } from '../json.ts';
import { parseKeys } from './api-keys.ts';
import { parseAliases } from './model-aliases.ts';
import { hideCredentials } from './option.ts';
import { readPairs } from './pairs.ts';
import type { Config } from './options.ts';

const SHORTEST_LEASE_MS = 1000;
const SHIPPED = fileURLToPath(new URL('../../../models', import.meta.url));

/** Problems between values that are each valid alone; looks at MODELS_DIR. */
export function checkTogether(config: Config): string[] {
  const problems = [...checkModelsDir(config), ...checkStorage(config), ...checkJobs(config)];
  for (const [model, options] of Object.entries(config.MODEL_OPTIONS))
    if (!isObject(options)) problems.push(`MODEL_OPTIONS: ${model}: expected an object`);
  if (config.DEFAULT_MODEL !== '' && config.MODELS.length > 0 && !config.MODELS.includes(config.DEFAULT_MODEL))
    problems.push(`DEFAULT_MODEL: ${config.DEFAULT_MODEL} is not among MODELS`);
  parseAliases(config.MODEL_ALIASES, problems);
  problems.push(...checkAccess(config));
  if (config.BODY_BUDGET_BYTES < config.BODY_LIMIT_BYTES)
    problems.push('BODY_BUDGET_BYTES: smaller than BODY_LIMIT_BYTES');
  if (config.HEADERS_TIMEOUT_MS > config.BODY_TIMEOUT_MS)
    problems.push('HEADERS_TIMEOUT_MS: longer than BODY_TIMEOUT_MS, which includes it');
  if (config.PROBE_PORT > 0 && config.PROBE_PORT === config.PORT)
    problems.push('PROBE_PORT: the same as PORT, which answers probes too; choose another one, or -1 for none');
  problems.push(...checkAddresses(config));
  if (config.WEBHOOK_SECRET !== '' && !/^(whsec_)?[A-Za-z0-9+/]{22,}={0,2}$/.test(config.WEBHOOK_SECRET))
    problems.push('WEBHOOK_SECRET: expected at least 16 bytes in base64, perhaps behind whsec_');
  problems.push(...checkNode(config), ...checkTracing(config));
  for (const origin of config.CORS_ORIGINS.filter((text) => !isOrigin(text)))
    problems.push(
      `CORS_ORIGINS: ${origin} is not an origin: expected a scheme, a host and perhaps a port, such as http://localhost:3000`,
    );
  if (config.JOB_LEASE_MS > 0 && config.JOB_LEASE_MS < SHORTEST_LEASE_MS)
    problems.push(`JOB_LEASE_MS: shorter than ${SHORTEST_LEASE_MS} ms, it would end before it can be extended`);
  return problems;
}

function checkAccess(config: Config): string[] {
  const problems: string[] = [];
  parseKeys(config, problems);
  if ((config.TLS_CERT_FILE === '') !== (config.TLS_KEY_FILE === ''))
    problems.push('TLS_CERT_FILE, TLS_KEY_FILE: a certificate needs its key, and the key its certificate');
  return problems;
}

function checkJobs({ JOB_SOURCE, JOB_COMMANDS }: Config): string[] {
  return JOB_SOURCE === 'kelpie' && JOB_COMMANDS.length === 0
    ? ["JOB_COMMANDS: Kelpie's jobs run programs; name those that they may run, or true for any"]
    : [];
}

/** Values of headers are not shown: they are mostly secrets. */
function checkTracing(config: Config): string[] {
  const problems: string[] = [];
  for (const name of ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_RESOURCE_ATTRIBUTES'] as const)
    readPairs(config[name], (place) => problems.push(`${name}: entry ${place}: expected name=value`));
  const ratio = Number(config.OTEL_TRACES_SAMPLER_ARG);
  if (config.OTEL_TRACES_SAMPLER_ARG.trim() === '' || !(ratio >= 0 && ratio <= 1))
    problems.push(`OTEL_TRACES_SAMPLER_ARG: expected a number from 0 to 1, got ${config.OTEL_TRACES_SAMPLER_ARG}`);
  return problems;
}

function checkAddresses(config: Config): string[] {
  const optional = (['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] as const).filter(
    (name) => config[name] !== '',
  );
  return (['SALAD_METADATA_URI', 'KELPIE_API_URL', ...optional] as const)
    .filter((name) => !isHttpAddress(config[name]))
    .map((name) => `${name}: expected an http address, got ${hideCredentials(config[name])}`);
}

function isHttpAddress(text: string): boolean {
  return /^https?:\/\/[^/]/.test(text) && URL.canParse(text);
}

function checkStorage({ AWS_ENDPOINT_URL_S3: url, STORAGE_PLACES, JOB_OUTPUT }: Config): string[] {
  const expected = 'expected s3://bucket/..., https://host/... or file:///...';
  const problems = STORAGE_PLACES.filter((text) => !isPlacePrefix(text)).map(
    (text) => `STORAGE_PLACES: ${hideCredentials(text)}: ${expected}`,
  );
  if (JOB_OUTPUT !== '' && !isPlacePrefix(JOB_OUTPUT)) problems.push(`JOB_OUTPUT: ${expected}`);
  if (url !== '' && !isHttpAddress(url))
    problems.push(`AWS_ENDPOINT_URL_S3: expected the address of a storage, got ${hideCredentials(url)}`);
  return problems;
}

/** Whether a text names a place without a query, credentials, or a way upwards. */
function isPlacePrefix(text: string): boolean {
  return (
    /^(s3:\/\/[^/?#@]+|https?:\/\/[^/?#@]+|file:\/\/(?=\/))(\/[^?#]*)?$/i.test(text) &&
    !/(^|[/\\])\.\.?([/\\]|$)/.test(text)
  );
}

function checkNode(config: Config): string[] {
  const problems: string[] = [];
  const { NODE_MIN_UPLOAD_MBPS: upload, NODE_MIN_DOWNLOAD_MBPS: download, NODE_SPEED_PLACE: place } = config;
  if ((upload > 0 || download > 0) && place === '') problems.push('NODE_SPEED_PLACE: say where speed is measured');
  else if (upload > 0 && !place.endsWith('/'))
    problems.push('NODE_SPEED_PLACE: for the speed of uploads it must be a prefix that ends in /');
  for (const name of ['NODE_MIN_DRIVER', 'NODE_MIN_CUDA'] as const)
    if (!/^(\d+(\.\d+)*)?$/.test(config[name]))
      problems.push(`${name}: expected numbers and dots, got ${config[name]}`);
  if (config.NODE_UNFIT === 'reallocate' && config.SALAD_MACHINE_ID === '' && config.SALAD_CONTAINER_GROUP_ID === '')
    problems.push('NODE_UNFIT: there is nobody to reallocate elsewhere than on SaladCloud');
  return problems;
}

/** Whether a browser can send the text as `Origin`; desktop shells and extensions have schemes of their own (tauri://localhost). */
function isOrigin(text: string): boolean {
  if (text === '*') return true;
  if (/^https?:/i.test(text)) return URL.canParse(text) && new URL(text).origin === text;
  return text !== 'file://' && /^[a-z][a-z\d+.-]*:\/\/[^\s/?#]+$/.test(text);
}

function checkModelsDir({ MODELS_DIR, CARPOOL_MODELS, HF_ENDPOINT }: Config): string[] {
  const problems: string[] = [];
  const folder = path.resolve(MODELS_DIR);
  // A pull makes the folder.
  if (!existsSync(folder) && CARPOOL_MODELS.length === 0)
    problems.push(
      `MODELS_DIR: there is no folder ${folder}: make it, with a folder for each model, or serve the models that come with Carpool: MODELS_DIR=${SHIPPED}`,
    );
  if (existsSync(folder)) problems.push(...unreadable(folder).map((why) => `MODELS_DIR: ${folder} ${why}`));
  const wrong: string[] = [];
  parseReferences(CARPOOL_MODELS, wrong);
  problems.push(...wrong.map((problem) => `CARPOOL_MODELS: ${problem}`));
  if (!isHttpAddress(HF_ENDPOINT))
    problems.push(`HF_ENDPOINT: expected the address of a hub, got ${hideCredentials(HF_ENDPOINT)}`);
  return problems;
}

function unreadable(folder: string): string[] {
  if (!statSync(folder).isDirectory()) return ['is a file: name a folder, with a folder for each model'];
  try {
    readdirSync(folder);
    return [];
  } catch (error) {
    return [`cannot be read (${String((error as NodeJS.ErrnoException).code)}): give this user the right to read it`];
  }
}
