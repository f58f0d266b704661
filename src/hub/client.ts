import { EnvHttpProxyAgent, request, type Dispatcher } from 'undici';
import { z } from 'zod';
import { VERSION } from '../version.ts';
import { HubError, refusalError } from './hub-error.ts';

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
  /** Sent to the hub alone, never to a host that it sends us to; '' for none. */
  readonly token: string;
  /** `user:password`, sent like the token where there is none; '' for none. */
  readonly credentials: string;
  /** Longest silence of a connection. */
  readonly silenceMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** A repository at one commit. */
export interface Snapshot {
  readonly repository: string;
  readonly commit: string;
}

export type Opened = Pick<Dispatcher.ResponseData, 'statusCode' | 'headers' | 'body'>;

const CONNECT_LIMIT_MS = 10_000;
const MOST_REDIRECTS = 5;
const MOST_PAGES = 100;
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
    this.#dispatcher = new EnvHttpProxyAgent({
      connect: { timeout: CONNECT_LIMIT_MS },
      headersTimeout: options.silenceMs,
      bodyTimeout: options.silenceMs,
    });
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  /** The commit that a branch or tag stands at. */
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

  /** Begins to read a file, or the bytes `from` to `to` (inclusive) of it: 206 then, or 200 from a host that knows no ranges. */
  async open(
    { repository, commit }: Snapshot,
    path: string,
    range?: readonly [from: number, to: number],
  ): Promise<Opened> {
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    const url = `${this.#options.endpoint}/${repository}/resolve/${commit}/${encoded}`;
    return this.#get(url, repository, range === undefined ? {} : { range: `bytes=${range[0]}-${range[1]}` });
  }

  /** A small file as text. Throws a HubError for a large one. */
  async text(snapshot: Snapshot, path: string): Promise<string> {
    return readLimited(await this.open(snapshot, path), snapshot.repository);
  }

  async #json(url: string, repository: string): Promise<{ value: unknown; next: string | undefined }> {
    const response = await this.#get(url, repository, { accept: 'application/json' });
    const text = await readLimited(response, repository);
    const next = nextPage(response.headers['link'], url);
    if (next !== undefined && new URL(next).origin !== this.#origin)
      throw new HubError(`${repository}: the hub's list of files goes on at another host`);
    try {
      return { value: JSON.parse(text), next };
    } catch (error) {
      throw new HubError(`${repository}: ${this.#options.endpoint} does not speak as a hub does`, { cause: error });
    }
  }

  #check<Schema extends z.ZodType>(schema: Schema, value: unknown, repository: string): z.infer<Schema> {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new HubError(`${repository}: ${this.#options.endpoint} does not speak as a hub does`, {
      cause: parsed.error,
    });
  }

  /** Follows redirects by hand: the token must not go along to another host. */
  async #get(first: string, repository: string, headers: Readonly<Record<string, string>>): Promise<Opened> {
    const { signal } = this.#options;
    let url = new URL(first);
    for (let hops = 0; hops <= MOST_REDIRECTS; hops += 1) {
      const isHub = url.origin === this.#origin;
      const response = await request(url, {
        dispatcher: this.#dispatcher,
        headers: {
          'user-agent': `carpool/${VERSION}`,
          'accept-encoding': 'identity',
          ...headers,
          ...(isHub ? this.#authorization : {}),
        },
        signal: signal ?? null,
      });
      if (response.statusCode < 300) return response;
      await response.body.dump();
      const location = response.headers['location'];
      if (response.statusCode >= 400 || typeof location !== 'string') throw this.#refusal(response, repository, !isHub);
      const next = new URL(location, url);
      if (url.protocol === 'https:' && next.protocol !== 'https:')
        throw new HubError(`${repository}: the hub sends us to an address that is not secure`);
      url = next;
    }
    throw new HubError(`${repository}: the hub sends us from one address to the next`);
  }

  #refusal({ statusCode, headers }: Opened, repository: string, isElsewhere: boolean): HubError {
    const { endpoint, token } = this.#options;
    const seconds = Number(headers['retry-after']);
    const retryAfterMs = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
    return refusalError(
      { status: statusCode, code: String(headers['x-error-code'] ?? ''), isElsewhere, retryAfterMs },
      { page: `${endpoint}/${repository}`, repository, hasToken: token !== '' },
    );
  }
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
