import { addressOf } from '../api.ts';
import { authorization } from '../key.ts';
import { toBase64 } from './base64.ts';
import { cutAtFiles } from './code/cut.ts';
import { readRefusal, type Refusal } from './refusals.ts';
import { EventReader, isLastEvent } from './sse.ts';
import type { Body, PickedFile, PlayReply, PlayRequest } from './types.ts';

/** Sends a request of the playground, and tells what came of it. */

/** What an answer says about itself. */
export interface Heads {
  readonly requestId: string | null;
  /** Items of the largest run that it was part of. */
  readonly batch: string | null;
  readonly lane: string | null;
  readonly version: string | null;
  readonly timing: string | null;
  readonly ignored: string | null;
}

export interface Sent {
  readonly heads: Heads;
  /** From sending to the end of the answer, and to its first event. */
  readonly elapsedMs: number;
  readonly firstMs: number | undefined;
  /** Undefined after a stream, whose events have been told. */
  readonly reply: PlayReply | undefined;
}

/** The server refused; or, with status 0, it could not be reached. */
export class Refused extends Error {
  readonly refusal: Refusal;
  readonly requestId: string | null;

  constructor(refusal: Refusal, requestId: string | null) {
    super(refusal.message);
    this.name = 'Refused';
    this.refusal = refusal;
    this.requestId = requestId;
  }
}

/** The connection broke, or the stream ended, before the answer was complete. */
export class BrokenAnswer extends Error {
  override readonly name = 'BrokenAnswer';

  constructor() {
    super('The connection broke before the answer was complete.');
  }
}

export interface Listening {
  readonly signal: AbortSignal;
  /** Called with the data of each event of a stream. */
  readonly onEvent?: (data: string) => void;
}

/** Rejects with Refused, with BrokenAnswer, with the error of `onEvent`, or with the signal's reason. */
export async function send(request: PlayRequest, { signal, onEvent }: Listening): Promise<Sent> {
  const { type, content } = await contentOf(request.body);
  signal.throwIfAborted();
  const headers = {
    ...authorization(),
    ...(type === undefined ? {} : { 'Content-Type': type }),
    ...(request.accept === undefined ? {} : { Accept: request.accept }),
  };
  const begun = performance.now();
  const response = await reach(addressOf(request.path), { method: 'POST', headers, body: content, signal });
  const heads = headsOf(response);
  if (!response.ok) {
    // What is missing of a refusal does not hide its status.
    const words = await response.text().catch(() => '');
    const refusal = readRefusal(response.status, words, response.headers.get('retry-after'));
    throw new Refused(refusal, heads.requestId);
  }
  let firstMs: number | undefined;
  const told = (data: string): void => {
    firstMs ??= performance.now() - begun;
    onEvent?.(data);
  };
  const isStream = typeOf(response) === 'text/event-stream';
  let reply: PlayReply | undefined;
  if (isStream) await readEvents(response, told, signal);
  else reply = await readWhole(response, signal);
  return { heads, reply, firstMs, elapsedMs: performance.now() - begun };
}

async function reach(address: string, init: RequestInit & { readonly signal: AbortSignal }): Promise<Response> {
  try {
    return await fetch(address, init);
  } catch (error) {
    init.signal.throwIfAborted();
    const message =
      error instanceof Error && error.name === 'NotReadableError'
        ? 'The file can no longer be read.'
        : 'The server cannot be reached.';
    throw new Refused({ status: 0, message, code: '', retryAfterMs: undefined }, null);
  }
}

function headsOf({ headers }: Response): Heads {
  const get = (name: string): string | null => headers.get(name);
  return {
    requestId: get('x-request-id'),
    batch: get('x-batch-size'),
    lane: get('x-lane'),
    version: get('x-model-version'),
    timing: get('server-timing'),
    ignored: get('x-ignored-fields'),
  };
}

function typeOf({ headers }: Response): string {
  return (headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

/** Throws for a body that broke off: the signal's reason, if that is why. */
function throwBroken(signal: AbortSignal): never {
  signal.throwIfAborted();
  throw new BrokenAnswer();
}

async function readWhole(response: Response, signal: AbortSignal): Promise<PlayReply> {
  const bytes = new Uint8Array(await response.arrayBuffer().catch(() => throwBroken(signal)));
  const type = typeOf(response);
  return { type, bytes, json: type === 'application/json' ? JSON.parse(new TextDecoder().decode(bytes)) : undefined };
}

async function readEvents({ body }: Response, told: (data: string) => void, signal: AbortSignal): Promise<void> {
  let isWhole = false;
  const events = new EventReader();
  const text = new TextDecoder();
  if (body === null) return;
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(() => throwBroken(signal));
      if (done) break;
      for (const data of events.read(text.decode(value, { stream: true }))) {
        told(data);
        isWhole ||= isLastEvent(data);
      }
    }
  } finally {
    // After an error among the events, the rest of the answer is not wanted.
    await reader.cancel().catch(() => undefined);
  }
  if (!isWhole) throw new BrokenAnswer();
}

/** Without a type, the browser sets it: forms have a boundary of their own. */
async function contentOf(body: Body): Promise<{ type: string | undefined; content: BodyInit }> {
  switch (body.kind) {
    case 'file':
      return { type: body.file.type || 'application/octet-stream', content: blobOf(body.file) };
    case 'form': {
      const form = new FormData();
      for (const [name, value] of body.parts)
        if (typeof value === 'string') form.append(name, value);
        else form.append(name, blobOf(value), value.name);
      return { type: undefined, content: form };
    }
    case 'json':
      return { type: 'application/json', content: await jsonOf(body.value) };
  }
}

/** The files that people pick are all the browser's own. */
function blobOf(file: PickedFile): Blob {
  if (file instanceof Blob) return file;
  throw new Error(`${file.name} holds no bytes`);
}

/** Bytes that become base64 at a time: whole groups of three, so that the pieces join. */
const PIECE_BYTES = 3 * 2 ** 18;

/** JSON with the base64 of files in their places: in pieces, so that the page neither stands still nor needs memory for the whole. */
async function jsonOf(value: unknown): Promise<Blob> {
  const parts: BlobPart[] = [];
  for (const piece of cutAtFiles(value)) {
    if (typeof piece === 'string') parts.push(piece);
    else {
      const file = blobOf(piece.file);
      for (let at = 0; at < file.size; at += PIECE_BYTES) {
        const bytes = new Uint8Array(await file.slice(at, at + PIECE_BYTES).arrayBuffer());
        parts.push(new Blob([toBase64(bytes)]));
      }
    }
  }
  return new Blob(parts);
}
