import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import process from 'node:process';
import { after } from 'node:test';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/**
 * Every answer that a server of this process gives in a test file is compared with /openapi.json when its tests are over, so that what the document says cannot
 * differ from what the code writes. Fields that the document does not name are mistakes here, although clients must put up with them.
 */

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** Enough for every kind of answer of a file; tests of crowds make many of one kind. */
const MOST_ANSWERS = 300;
const MOST_BYTES = 64 * 1024;
const seen = new Map<string, Seen>();

const DECODERS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  gzip: gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
};

subscribe('http.server.request.start', (message) => {
  const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
  if (request.method === 'HEAD' || request.method === 'OPTIONS' || seen.size >= MOST_ANSWERS) return;
  // SaladCloud's queue takes results in JSON alone: bytes have a form of their own there.
  if (request.headers['salad-job-id'] !== undefined) return;
  const pieces: Buffer[] = [];
  let head: Headers = {};
  const take = (piece: unknown): void => {
    if (typeof piece === 'string') pieces.push(Buffer.from(piece));
    else if (piece instanceof Uint8Array) pieces.push(Buffer.from(piece));
  };
  spy(response, 'write', ([piece]) => take(piece));
  spy(response, 'end', ([piece]) => take(piece));
  // Headers that are written with the head are not kept by the response.
  spy(response, 'writeHead', (all) => (head = (all.find((one) => typeof one === 'object') ?? {}) as Headers));
  response.on('finish', () => note(request, response, { head, bytes: Buffer.concat(pieces) }));
});

type Headers = Readonly<Record<string, string | number | undefined>>;
type Method = (...all: unknown[]) => unknown;

/** Hears what a method is called with. */
function spy(response: ServerResponse, name: 'write' | 'end' | 'writeHead', hear: (all: unknown[]) => void): void {
  const method = response[name].bind(response) as Method;
  const heard: Method = (...all) => {
    hear(all);
    return method(...all);
  };
  Object.assign(response, { [name]: heard });
}

function note(
  { method = '', url = '' }: IncomingMessage,
  { statusCode }: ServerResponse,
  { head, bytes }: { readonly head: Headers; readonly bytes: Buffer },
): void {
  // Another server of the test's.
  if (head['X-Request-Id'] === undefined) return;
  const coding = head['Content-Encoding'];
  const decode = typeof coding === 'string' ? DECODERS[coding] : (same: Buffer): Buffer => same;
  if (decode === undefined || bytes.byteLength === 0 || bytes.byteLength > MOST_BYTES) return;
  const [type = ''] = String(head['Content-Type'] ?? '').split(';', 1);
  const [path = ''] = url.split('?', 1);
  const text = decode(bytes).toString();
  seen.set(`${method} ${path} ${statusCode} ${text}`, {
    method,
    path,
    status: statusCode,
    type,
    text,
  });
}

after(async () => {
  if (seen.size === 0) return;
  const answers = [...seen.values()];
  const check = new DocumentCheck(await realDocument());
  const problems = answers.flatMap((answer) => check.problems(answer));
  if (problems.length === 0) return;
  // Not thrown: where a hook fails, the file's own are left out, and its servers would keep the process alive for good.
  console.error(`Answers that /openapi.json does not describe:\n${problems.slice(0, 10).join('\n')}`);
  process.exitCode = 1;
});

/** Not imported at the beginning, because that module imports this one. */
const stubServer = async () => (await import('../stub-services.ts')).startStubServer;

async function realDocument(): Promise<Json> {
  const start = await stubServer();
  await using server = await start([]);
  const response = await fetch(`${server.url}/openapi.json`);
  return (await response.json()) as Json;
}

type Json = Readonly<Record<string, unknown>>;
type Content = Readonly<Record<string, { readonly schema?: Json }>>;
interface Described {
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}

class DocumentCheck {
  readonly #paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly #patterns: readonly (readonly [pattern: RegExp, path: string])[];
  readonly #ajv: Ajv2020;
  readonly #known = new Map<string, ValidateFunction>();

  constructor(document: Json) {
    const strict = closed(document) as { paths: Record<string, Record<string, Described>> };
    this.#paths = strict.paths;
    this.#patterns = Object.keys(strict.paths).map((path) => [patternOf(path), path] as const);
    this.#ajv = new Ajv2020({ strict: false, allErrors: false });
    this.#ajv.addSchema({ $id: 'document', ...strict });
  }

  problems({ method, path, status, type, text }: Seen): string[] {
    const told = (why: string): string[] => [`${method} ${path} ${status}: ${why}: ${text.slice(0, 300)}`];
    const place = this.#placeOf(path);
    const described = place === undefined ? undefined : this.#paths[place]?.[method.toLowerCase()];
    // What is at no address of the document, or takes another method.
    if (place === undefined || described === undefined) return [];
    // Told of by no operation: the address itself, a part of it, other statuses of HTTP.
    if ([206, 304, 308, 405, 408, 416, 431].includes(status)) return [];
    const content = described.responses[status]?.content;
    if (content === undefined) return told('has no such status');
    const media = content[type] === undefined && content['*/*'] !== undefined ? '*/*' : type;
    if (content[media] === undefined) return told(`has no answer of type ${type}`);
    // A text is a text.
    if (content[media].schema === undefined || !CHECKED.includes(media)) return [];
    const pointer = ['paths', place, method.toLowerCase(), 'responses', String(status), 'content', media, 'schema'];
    const validate = this.#validate(pointer);
    return values(type, text).flatMap((value) =>
      validate(value) ? [] : told(JSON.stringify(validate.errors?.slice(0, 3))),
    );
  }

  #placeOf(path: string): string | undefined {
    if (Object.hasOwn(this.#paths, path)) return path;
    return this.#patterns.find(([pattern]) => pattern.test(path))?.[1];
  }

  #validate(pointer: readonly string[]): ValidateFunction {
    const parts = pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')));
    const reference = `document#/${parts.join('/')}`;
    const known = this.#known.get(reference) ?? this.#ajv.compile({ $ref: reference });
    this.#known.set(reference, known);
    return known;
  }
}

const CHECKED = ['application/json', 'text/event-stream', 'application/x-ndjson'];

/** The values in JSON of an answer: one, or those of its events or lines. */
function values(type: string, text: string): unknown[] {
  if (type === 'text/event-stream') {
    const data = text.split('\n').filter((line) => line.startsWith('data: '));
    return data.filter((line) => line !== 'data: [DONE]').map((line) => JSON.parse(line.slice(6)) as unknown);
  }
  const all = type === 'application/x-ndjson' ? text.trimEnd().split('\n') : [text];
  return all.map((line) => JSON.parse(line) as unknown);
}

function patternOf(path: string): RegExp {
  return new RegExp(
    `^${path
      .replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&')
      .replaceAll(/\{name\}/g, '.+')
      .replaceAll(/\{\w+\}/g, '[^/]+')}$`,
  );
}

/** The same schemas, in which objects have no other fields than those that are named. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, one]) => [key, closed(one)] as const);
  const isOpen = 'properties' in value && 'type' in value && !('additionalProperties' in value);
  return Object.fromEntries([...entries, ...(isOpen ? [['additionalProperties', false] as const] : [])]);
}
