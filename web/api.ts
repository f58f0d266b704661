import { authorization } from './key.ts';

/** Requests to the server that the page came from, by relative addresses: it may be mounted below a path. */

/** What the server says of a request that it does not serve. */
export class ApiError extends Error {
  /** 0: it cannot be reached. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
  }
}

/** The absolute address of a path of the server, for code that is to be shown. */
export function addressOf(path: string): string {
  return new URL(path.replace(/^\//, ''), document.baseURI).href;
}

/** One request, with the key if there is one. Rejects with an ApiError unless the status is that of a success. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  for (const [name, value] of Object.entries(authorization())) headers.set(name, value);
  let response: Response;
  try {
    response = await fetch(addressOf(path), { ...init, headers });
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new ApiError(0, 'The server cannot be reached.');
  }
  if (!response.ok) throw new ApiError(response.status, messageIn(await response.text().catch(() => ''), response));
  return response;
}

export async function getJson(path: string, init?: RequestInit): Promise<unknown> {
  return (await request(path, init)).json();
}

export async function postJson(path: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('Content-Type', 'application/json');
  return request(path, { ...init, method: 'POST', headers, body: JSON.stringify(body) });
}

/** The message of an error, in whichever of the dialects' shapes it comes. */
export function messageIn(text: string, { status, statusText }: Pick<Response, 'status' | 'statusText'>): string {
  const plain = `${status} ${statusText}`.trim();
  try {
    const { error, message } = JSON.parse(text) as { error?: unknown; message?: unknown };
    if (typeof error === 'string') return error;
    if (typeof message === 'string') return message;
    const inner = (error as { message?: unknown } | undefined)?.message;
    return typeof inner === 'string' ? inner : plain;
  } catch {
    return plain;
  }
}
