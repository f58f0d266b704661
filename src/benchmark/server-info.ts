import { readFile } from 'node:fs/promises';
import { z } from 'zod';

/** What a running server says of itself. */

const LIMIT_BYTES = 64 * 2 ** 20;
const LIMIT_MS = 30_000;

/** The address of a server as people write it: `localhost:8000`, `:8000` or `8000` too. Undefined: it is none. */
export function serverAddress(text: string): string | undefined {
  const whole = /^https?:\/\//i.test(text)
    ? text
    : /^:?\d{1,5}$/.test(text)
      ? `http://localhost:${text.replace(':', '')}`
      : `http://${text}`;
  // What has another scheme would be a host with that name.
  if (/^[a-z][a-z\d+.-]*:\/\//i.test(text) && whole !== text) return undefined;
  if (/\s/.test(whole) || !URL.canParse(whole)) return undefined;
  const { username, password } = new URL(whole);
  // Requests take them in headers alone.
  return username === '' && password === '' ? whole.replace(/\/+$/, '') : undefined;
}

/** The header that sends the key of a file. Throws a plain Error if it cannot be read. */
export async function keyHeader(file: string | undefined): Promise<Record<string, string>> {
  return file === undefined
    ? {}
    : { authorization: `Bearer ${(await readNamed(file, '--key-file')).toString().trim()}` };
}

/** A file that a flag names. Throws a plain Error that says which flag. */
export async function readNamed(file: string, flag: string): Promise<Buffer> {
  return readFile(file).catch((error: unknown) => {
    const { code = '' } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`;
    throw new Error(`${flag}: ${file}: ${why}`, { cause: error });
  });
}

/** Of `/info` what commands read; older servers may say less of a model. */
const INFO = z.object({
  version: z.string().default(''),
  plan: z.object({ why: z.string() }).optional(),
  models: z.array(
    z.object({
      name: z.string(),
      version: z.string().optional(),
      task: z.string(),
      devices: z.array(z.string()).optional(),
      maxItems: z.number().optional(),
      queue: z.object({ waiting: z.number(), running: z.number() }).optional(),
      example: z.unknown().optional(),
      signature: z
        .object({
          inputs: z.array(z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.number()) })),
        })
        .optional(),
    }),
  ),
  asleep: z.array(z.object({ name: z.string(), task: z.string() })).default([]),
});

export type ServerInfo = z.infer<typeof INFO>;

/** `GET /info`. Throws a plain Error that says what is there instead of a server of Carpool. */
export async function serverInfo(url: string, headers: Readonly<Record<string, string>>): Promise<ServerInfo> {
  const address = `${url}/info`;
  const request = { headers, signal: AbortSignal.timeout(LIMIT_MS), redirect: 'manual' } as const;
  const response = await fetch(address, request).catch((error: unknown) => {
    throw new Error(unreached(url, error), { cause: error });
  });
  const text = await readReply(response, address);
  const info = INFO.safeParse(response.ok ? parsed(text) : undefined);
  if (info.success) return info.data;
  throw new Error(`${address} answers ${response.status}${cureOf(response)}`);
}

function unreached(url: string, error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `${url} takes the request and does not answer`;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const { code = '', message } = cause as NodeJS.ErrnoException;
  if (code.startsWith('HPE_') || message.includes('does not match the HTTP'))
    return `what answers at ${url} speaks no HTTP`;
  if (/^ERR_SSL|^EPROTO/.test(code)) return `what answers at ${url} speaks no TLS: write http://`;
  if (/CERT|ISSUER/.test(code))
    return `the certificate of ${url} is not trusted (${code}): let NODE_EXTRA_CA_CERTS name the file of its authority`;
  if (/ECONNRESET|UND_ERR_SOCKET/.test(code))
    return `what answers at ${url} closes the connection${url.startsWith('http:') ? ': does it want https://?' : ''}`;
  const why = code === 'ECONNREFUSED' ? '' : ` (${code === '' ? message : code})`;
  return `nothing answers at ${url}${why}: start a server by \`carpool serve\`, or name another address`;
}

function cureOf({ status, headers }: Response): string {
  if (status === 401 || status === 403) return ': give a key that may read it by --key-file';
  if (status >= 300 && status < 400) return `: it leads to ${headers.get('location') ?? 'nowhere'}`;
  return ', as no server of Carpool does: is it another program, or another address?';
}

/** The text of a reply. Throws a plain Error for one that breaks off, or is longer than a server of Carpool sends. */
export async function readReply(response: Response, what: string): Promise<string> {
  const decoder = new TextDecoder();
  let [text, bytes] = ['', 0];
  try {
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength;
      if (bytes > LIMIT_BYTES) break;
      text += decoder.decode(chunk, { stream: true });
    }
  } catch (error) {
    const isLate = error instanceof Error && error.name === 'TimeoutError';
    throw new Error(`${what} ${isLate ? 'does not end its answer' : 'breaks its answer off'}`, { cause: error });
  }
  // Leaving the loop has closed the connection.
  if (bytes > LIMIT_BYTES) throw new Error(`${what} answers more than ${LIMIT_BYTES / 2 ** 20} MiB`);
  return text;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
