import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { Certificate } from '../http/certificate.ts';
import { Keys } from '../http/keys/keys.ts';
import { isLoopbackHost } from '../http/management.ts';
import { messageOf } from '../errors.ts';
import { createLogs } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import { isOnSalad } from '../salad/node.ts';
import { ok, problem, warning, type Found, type Patient } from './finding.ts';
import { foundAt } from './network.ts';
import { quoted } from './options.ts';
import { reach } from './reach.ts';
import { firstLine } from './runtime.ts';

/** Who may use the server: API keys, certificates, and the credentials of storages. */

const SILENT = { level: 'silent', pretty: false };
/** Rights of the group and of all others. */
const OTHERS = 0o077;

export async function checkKeys({ config }: Patient): Promise<Found[]> {
  const { API_KEYS_FILE: file, HOST } = config;
  const metrics = createMetrics();
  try {
    const keys = await Keys.open({ config, log: createLogs(SILENT).log, metrics });
    keys?.close();
    if (keys === undefined)
      return [
        isLoopbackHost(HOST) || isOnSalad(config)
          ? ok('none is asked for')
          : warning(
              `none is asked for: whoever reaches HOST=${HOST} may use the server`,
              'carpool hash-key app   # or export HOST=127.0.0.1',
            ),
      ];
    const open = file === '' ? [] : await checkRights('API_KEYS_FILE', file);
    return open.length > 0 ? open : [ok(`${keys.count} key${keys.count === 1 ? '' : 's'}`)];
  } catch (error) {
    const other = unread(file, error);
    return [
      other === undefined
        ? problem(
            `API_KEYS_FILE: ${firstLine(messageOf(error))}`,
            `edit ${quoted(file)}: docs/security.md shows its form`,
          )
        : problem(
            `API_KEYS_FILE: ${other.why}`,
            other.cure ?? 'carpool hash-key app   # makes a key for it: docs/security.md; or unset API_KEYS_FILE',
          ),
    ];
  } finally {
    metrics.stop();
  }
}

/** Why a file cannot be read, if the error says so; a cure where it is there. */
function unread(file: string, error: unknown): { readonly why: string; readonly cure?: string } | undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return { why: `there is no file ${file}` };
  if (code === 'EISDIR')
    return { why: `${file} is a folder, and a file is wanted`, cure: `ls ${quoted(file)}   # name the file in it` };
  if (code === 'EACCES' || code === 'EPERM')
    return { why: `${file} may not be read by this user`, cure: `chown "$(id -u)" ${quoted(file)}` };
  return undefined;
}

async function checkRights(option: string, file: string): Promise<Found[]> {
  const { mode } = await stat(file);
  return (mode & OTHERS) === 0
    ? []
    : [warning(`${option}: other users of this machine have rights to ${file}`, `chmod 600 ${quoted(file)}`)];
}

const SOON_DAYS = 14;
const DAY_MS = 86_400_000;

export async function checkCertificate({ config }: Patient): Promise<Found[]> {
  const { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile } = config;
  if (certFile === '' || keyFile === '') return [];
  try {
    (await Certificate.open(config, createLogs(SILENT).log))?.close();
    const { validTo, subject } = new X509Certificate(await readFile(certFile));
    const days = (Date.parse(validTo) - Date.now()) / DAY_MS;
    const name = subject.replaceAll('\n', ', ');
    const renew = 'certbot renew   # or however the certificate was made';
    if (days < 0) return [problem(`the certificate of ${name} has ended on ${validTo}`, renew)];
    const soon = days < SOON_DAYS ? [warning(`the certificate of ${name} ends on ${validTo}`, renew)] : [];
    const warnings = [...soon, ...(await checkRights('TLS_KEY_FILE', keyFile))];
    return warnings.length > 0 ? warnings : [ok(`the certificate of ${name}, until ${validTo}`)];
  } catch (error) {
    const { path: at = '' } = error as NodeJS.ErrnoException;
    const file = at === keyFile ? keyFile : certFile;
    const other = unread(file, error);
    if (other !== undefined) {
      const make = `openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -keyout ${quoted(keyFile)} -out ${quoted(certFile)}   # for trials; or let the option name the right file`;
      return [problem(`${file === keyFile ? 'TLS_KEY_FILE' : 'TLS_CERT_FILE'}: ${other.why}`, other.cure ?? make)];
    }
    return [
      problem(
        `TLS_CERT_FILE, TLS_KEY_FILE: ${firstLine(messageOf(error))}`,
        `diff <(openssl x509 -noout -pubkey -in ${quoted(certFile)}) <(openssl pkey -pubout -in ${quoted(keyFile)})`,
      ),
    ];
  }
}

/** Places by which Amazon's SDK finds credentials beside the two variables. */
const OTHER_SOURCES = [
  'AWS_PROFILE',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
];

export async function checkStorage({ config, machine: { isSet } }: Patient): Promise<Found[]> {
  const [hasId, hasSecret] = [isSet('AWS_ACCESS_KEY_ID'), isSet('AWS_SECRET_ACCESS_KEY')];
  const places = [...config.STORAGE_PLACES, config.JOB_OUTPUT].filter((place) => place.startsWith('s3:'));
  if (hasId !== hasSecret) {
    const [there, missing] = hasId
      ? ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']
      : ['AWS_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID'];
    return [problem(`${there} is set and ${missing} is not`, `export ${missing}=...`)];
  }
  const isUsed = places.length > 0 || config.JOB_SOURCE === 'sqs' || config.AWS_ENDPOINT_URL_S3 !== '';
  if (!isUsed) return [];
  const away = await checkEndpoint(config.AWS_ENDPOINT_URL_S3);
  if (away.length > 0) return away;
  if (!hasId && !OTHER_SOURCES.some(isSet))
    return [
      warning(
        'no credentials are set; a role of this machine may have them',
        'export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...',
      ),
    ];
  const [place] = places;
  return [
    ok(
      place === undefined
        ? 'credentials are set'
        : `credentials are set; \`carpool bench-storage ${place}\` tries them`,
    ),
  ];
}

/** Whether the storage that is named instead of Amazon's is there; nothing where none is named. */
async function checkEndpoint(url: string): Promise<Found[]> {
  if (url === '') return [];
  const cure = {
    option: 'AWS_ENDPOINT_URL_S3',
    start: `curl -sS ${quoted(url)}   # or unset AWS_ENDPOINT_URL_S3: Amazon's own`,
  };
  const found = foundAt(await reach(url), 'storage', cure);
  return found.outcome === 'ok' ? [] : [found];
}
