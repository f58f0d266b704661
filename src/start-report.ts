import { isLoopbackHost } from './http/management.ts';
import type { Services } from './http/services.ts';

/** What a person at a terminal is told of a server that is ready: where it is, and what it serves. */
export function startReport({ version, config, keys, repository, plan }: Services, port: number): string {
  const rows = [
    ...repository
      .list()
      .map(({ name, description: { task, devices } }) => [name, task, [...new Set(devices)].join(', ')]),
    ...repository.asleep().map(({ name, manifest: { task } }) => [name, task, 'loaded when a request comes']),
  ].sort(([a = ''], [b = '']) => (a < b ? -1 : 1));
  const widths = [0, 1].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  const models = rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`);
  const { lanes, why } = plan();
  const address = addressOf(config.HOST, port, isTls(config));
  return [
    '',
    `Carpool ${version} serves ${rows.length} model${rows.length === 1 ? '' : 's'} at ${address}`,
    ...(models.length === 0
      ? ['  Put a folder with model.onnx into MODELS_DIR, or bring one by `carpool pull`, and start again.']
      : models),
    `  ${lanes} lane${lanes === 1 ? '' : 's'}: ${why}`,
    `  ${accessText(config, keys)}`,
    ...(config.DASHBOARD ? [`  Open ${address} in a browser to see what it does, and to try its models.`] : []),
    '',
  ].join('\n');
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
