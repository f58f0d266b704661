import { EnvHttpProxyAgent, request, type Dispatcher } from 'undici';
import { z } from 'zod';
import { retryAfterMs } from '../retry-after.ts';
import { retrying } from '../transfer/retry.ts';
import { VERSION } from '../version.ts';
import { HubError, refusalError } from './hub-error.ts';
import { ENDLESS, followRedirects, redirectProblem } from './redirects.ts';
import { hubRetry, type HubRetry } from './retry.ts';

/** The routes of the Hugging Face hub (https://huggingface.co/docs/hub/api) as huggingface_hub uses them. */

/** A file of a repository. */
export interface HubFile {
  /** Relative, with slashes; checked to stay within the folder. */
  readonly path: string;
  readonly size: number;
  /** `sha256:<hex>` of large files (LFS), `git:<hex>` (SHA-1 of the git blob) of others. */
  readonly digest: string;
}

export interface ClientOptions {
  /** The hub's address, with no slash at its end. */
  readonly endpoint: string;
  /** Sent to the hub alone, never to a host that it redirects to; '' for none. */
  readonly token: string;
  /** `user:password`, sent like the token where there is none; '' for none. */
  readonly credentials: string;
  /** Longest silence of a connection. */
  readonly silenceMs: number;
  /** Longest time for a whole answer of the hub, files excepted. */
  readonly answerMs: number;
  readonly retry: HubRetry;
}

/** A repository at one commit. */
export interface Snapshot {
  readonly repository: string;
  readonly commit: string;
}

/** Which part of a file to read, and what ends the reading. */
export interface OpenOptions {
  /** First and last byte. */
  readonly range?: readonly [from: number, to: number] | undefined;
  readonly signal: AbortSignal | undefined;
}

export type Opened = Pick<Dispatcher.ResponseData, 'statusCode' | 'headers' | 'body'>;

const CONNECT_LIMIT_MS = 10_000;
const MOST_PAGES = 100;
const MOST_FILES = 100_000;
const JSON_LIMIT_BYTES = 32 * 1024 * 1024;

const hex = z.string().regex(/^[0-9a-f]{40,64}$/);
const revisionSchema = z.object({ sha: hex });
const treeSchema = z.array(
  z.object({
    type: z.string(),
    path: z.string(),
    size: z.number().int().min(0).default(0),
    oid: hex,
    lfs: z.object({ oid: hex, size: z.number().int().min(0) }).optional(),
  }),
);

export class HubClient {
  readonly #options: ClientOptions;
  readonly #origin: string;
  readonly #authorization: { readonly authorization?: string };
  readonly #dispatcher: Dispatcher;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#origin = new URL(options.endpoint).origin;
    this.#authorization = authorizationOf(options);
    const agent = new EnvHttpProxyAgent({
      connect: { timeout: CONNECT_LIMIT_MS },
      headersTimeout: options.silenceMs,
      bodyTimeout: options.silenceMs,
    });
    this.#dispatcher = followRedirects(agent);
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  /** The commit that a branch or tag points to. */
  async commit(repository: string, revision: string): Promise<string> {
    const url = `${this.#options.endpoint}/api/models/${repository}/revision/${encodeURIComponent(revision)}`;
    const { value } = await this.#json(url, repository);
    return this.#check(revisionSchema, value, repository).sha;
  }

  /** All files of a repository. Throws a HubError for a name that leads out of the folder. */
  async list({ repository, commit }: Snapshot): Promise<HubFile[]> {
    const files: HubFile[] = [];
    let url: string | undefined = `${this.#options.endpoint}/api/models/${repository}/tree/${commit}?recursive=true`;
    for (let page = 0; url !== undefined; page += 1) {
      if (page >= MOST_PAGES) throw new HubError(`${repository}: it has too many files`);
      const { value, next } = await this.#json(url, repository);
      for (const { type, path, size, oid, lfs } of this.#check(treeSchema, value, repository)) {
        if (type !== 'file') continue;
        checkPath(path, repository);
        if (files.length === MOST_FILES) throw new HubError(`${repository}: it has too many files`);
        files.push(
          lfs === undefined
            ? { path, size, digest: `git:${oid}` }
            : { path, size: lfs.size, digest: `sha256:${lfs.oid}` },
        );
      }
      url = next;
    }
    return files;
  }

  /** Begins to read a file, or a range of it: with status 206 then, or 200 from a host that does not support ranges. Does not retry. */
  async open({ repository, commit }: Snapshot, path: string, { range, signal }: OpenOptions): Promise<Opened> {
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    const url = `${this.#options.endpoint}/${repository}/resolve/${commit}/${encoded}`;
    const headers = range === undefined ? {} : { range: `bytes=${range[0]}-${range[1]}` };
    return this.#get(url, repository, { headers, signal });
  }

  /** A small file as text. Throws a HubError for a large one. */
  text(snapshot: Snapshot, path: string): Promise<string> {
    const { repository } = snapshot;
    return this.#answer(repository, async (signal) =>
      readLimited(await this.open(snapshot, path, { signal }), repository),
    );
  }

  /** Reads a whole answer within its time limit; retries while that fails for passing reasons. */
  #answer<Answer>(repository: string, read: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    const { retry, answerMs } = this.#options;
    return retrying(hubRetry(retry), async () => {
      const late = new AbortController();
      const timer = setTimeout(() => {
        late.abort(new HubError(`${repository}: an answer of the hub takes too long`, { isPassing: true }));
      }, answerMs);
      try {
        return await read(anyOf(late.signal, retry.signal));
      } finally {
        clearTimeout(timer);
      }
    });
  }

  async #json(url: string, repository: string): Promise<{ value: unknown; next: string | undefined }> {
    const { headers, text } = await this.#answer(repository, async (signal) => {
      const opened = await this.#get(url, repository, { headers: { accept: 'application/json' }, signal });
      return { headers: opened.headers, text: await readLimited(opened, repository) };
    });
    const next = nextPage(headers['link'], url);
    if (next !== undefined && new URL(next).origin !== this.#origin)
      throw new HubError(`${repository}: the hub's list of files goes on at another host`);
    try {
      return { value: JSON.parse(text), next };
    } catch (error) {
      throw new HubError(`${repository}: ${this.#options.endpoint} does not answer like a hub`, { cause: error });
    }
  }

  #check<Schema extends z.ZodType>(schema: Schema, value: unknown, repository: string): z.infer<Schema> {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new HubError(`${repository}: ${this.#options.endpoint} does not answer like a hub`, {
      cause: parsed.error,
    });
  }

  async #get(
    url: string,
    repository: string,
    { headers, signal }: { headers: Readonly<Record<string, string>>; signal: AbortSignal | undefined },
  ): Promise<Opened> {
    const response = await request(url, {
      dispatcher: this.#dispatcher,
      headers: {
        'user-agent': `carpool/${VERSION}`,
        'accept-encoding': 'identity',
        ...headers,
        ...this.#authorization,
      },
      signal: signal ?? null,
    }).catch((error: unknown) => {
      const problem = redirectProblem(error);
      throw problem === undefined ? error : new HubError(`${repository}: ${problem}`, { cause: error });
    });
    if (response.statusCode < 300) return response;
    await response.body.dump();
    if (response.statusCode < 400 && response.headers['location'] !== undefined)
      throw new HubError(`${repository}: ${ENDLESS}`);
    const { history } = response.context as { history?: readonly URL[] };
    const isElsewhere = (history?.at(-1)?.origin ?? this.#origin) !== this.#origin;
    throw this.#refusal(response, repository, isElsewhere);
  }

  #refusal({ statusCode, headers }: Opened, repository: string, isElsewhere: boolean): HubError {
    const { endpoint, token } = this.#options;
    const code = String(headers['x-error-code'] ?? '');
    return refusalError(
      { status: statusCode, code, isElsewhere, retryAfterMs: retryAfterMs(headers['retry-after']) },
      { page: `${endpoint}/${repository}`, repository, hasToken: token !== '' },
    );
  }
}

function anyOf(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined));
}

function authorizationOf({ token, credentials }: ClientOptions): { authorization?: string } {
  if (token !== '') return { authorization: `Bearer ${token}` };
  return credentials === '' ? {} : { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
}

/** Names come from outside: none may lead out of the folder, on any system. */
function checkPath(path: string, repository: string): void {
  const parts = path.split('/');
  if (/[\\:\u0000-\u001f]/.test(path) || parts.some((part) => part === '' || part === '.' || part === '..'))
    throw new HubError(`${repository}: it has a file whose name leads out of its folder: ${JSON.stringify(path)}`);
}

async function readLimited({ body }: Opened, repository: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > JSON_LIMIT_BYTES) throw new HubError(`${repository}: an answer of the hub is too long`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The address after `rel="next"` of a Link header (RFC 8288). */
function nextPage(link: string | string[] | undefined, base: string): string | undefined {
  const [, target] = /<([^>]*)>\s*;[^,]*rel="?next"?/.exec([link ?? ''].flat().join(',')) ?? [];
  return target === undefined ? undefined : new URL(target, base).href;
}
