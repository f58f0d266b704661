import process from 'node:process';
import { columnsText, sizeText } from './commands/columns.ts';
import { isLoopbackHost } from './http/management.ts';
import type { Services } from './http/services.ts';
import { memoryBytes } from './memory.ts';

/** Most of a reason, which may be a page of ONNX Runtime's. */
const REASON_CHARACTERS = 160;

/** What a person at a terminal is told of a server that is ready: where it is, what it serves, with what, and to whom. */
export function startReport({ version, config, keys, repository, plan }: Services, port: number): string {
  const serving = repository
    .list()
    .map(({ name, description: { task, devices } }) => [name, task, [...new Set(devices)].join(', ')]);
  const asleep = repository.asleep().map(({ name, manifest: { task } }) => [name, task, 'loaded when a request comes']);
  const failed = repository.failed().map(({ name, reason }) => [name, 'not loaded', firstLine(reason)]);
  const models = [...serving, ...asleep, ...failed].sort(([a = ''], [b = '']) => (a < b ? -1 : 1));
  const count = serving.length + asleep.length;
  const { lanes, why } = plan();
  const address = addressOf(config.HOST, port, isTls(config));
  return [
    '',
    `Carpool ${version} serves ${count} model${count === 1 ? '' : 's'} at ${address}`,
    ...(models.length === 0
      ? ['Put a folder with model.onnx into MODELS_DIR, or bring one by `carpool pull`, and start again.']
      : columnsText(models)
    ).map((line) => `  ${line}`),
    ...(failed.length === 0 ? [] : ['  `carpool doctor --load` says more of the models that are not loaded.']),
    `  ${lanes} lane${lanes === 1 ? '' : 's'}: ${why}`,
    `  Memory: ${sizeText(process.memoryUsage.rss())} in use, of ${sizeText(memoryBytes())} that it may have`,
    ...jobsText(config).map((line) => `  ${line}`),
    `  ${accessText(config, keys)}`,
    ...(config.DASHBOARD ? [`  Open ${address} in a browser to see what it does, and to try its models.`] : []),
    '',
  ].join('\n');
}

function firstLine(reason: string): string {
  const [line = ''] = reason.split('\n', 1);
  return line.length > REASON_CHARACTERS ? `${line.slice(0, REASON_CHARACTERS)}...` : line;
}

/** Where work comes from besides HTTP. */
function jobsText({ JOB_SOURCE, JOB_QUEUE, JOBS_DIR }: Services['config']): string[] {
  const queue = JOB_QUEUE === '' ? '' : ` (${JOB_QUEUE})`;
  return [
    ...(JOB_SOURCE === 'none' ? [] : [`Jobs come from ${JOB_SOURCE}${queue}.`]),
    ...(JOBS_DIR === '' ? [] : [`Jobs, files and batches of clients are kept in ${JOBS_DIR}.`]),
  ];
}

/** Who may use it. */
function accessText({ HOST }: Pick<Services['config'], 'HOST'>, keys: Services['keys']): string {
  if (keys !== undefined) return 'Clients need an API key.';
  return isLoopbackHost(HOST)
    ? 'Open to programs on this machine alone.'
    : 'Open to everybody who reaches this machine: no API keys are asked for (API_KEY, or HOST=127.0.0.1).';
}

function isTls({ TLS_CERT_FILE }: Services['config']): boolean {
  return TLS_CERT_FILE !== '';
}

/** An address to open on this machine, where the server listens on all of them. */
function addressOf(host: string, port: number, tls: boolean): string {
  const isAny = host === '::' || host === '0.0.0.0' || host === '';
  const name = isAny ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `${tls ? 'https' : 'http'}://${name}:${port}`;
}
