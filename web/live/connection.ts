import { ApiError, request } from '../api.ts';
import { onKey } from '../key.ts';
import { eventsOf } from './event-reader.ts';
import type { Frame, Welcome } from './protocol.ts';
import { advance, begin, type LiveState } from './state.ts';

/**
 * The connection to `GET /live`. `connecting`: none has been made yet; `open`; `lost`: it is made again, and what is shown is old; `refused`: the server does not
 * let this page read it, and says why.
 */
export type Connection =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'open' }
  | { readonly kind: 'lost'; readonly why: string }
  | { readonly kind: 'refused'; readonly status: number; readonly why: string };

export interface Live {
  readonly connection: Connection;
  /** What was told last; undefined before the first event. */
  readonly state: LiveState | undefined;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** A server that says nothing for so long is gone: it sends four times a second. */
const SILENCE_MS = 10_000;

let live: Live = { connection: { kind: 'connecting' }, state: undefined };
const listeners = new Set<() => void>();
let stop: AbortController | undefined;

export function currentLive(): Live {
  return live;
}

/** Calls back at each change; the returned function ends that. */
export function onLive(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function set(change: Partial<Live>): void {
  live = { ...live, ...change };
  for (const listener of listeners) listener();
}

/** Begins, for as long as the page is there. Another key begins anew, and so does coming back to a tab that was hidden. */
export function startLive(): void {
  onKey(() => {
    // What one key may see is not for another.
    set({ connection: { kind: 'connecting' }, state: undefined });
    restart();
  });
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) stop?.abort();
    else restart();
  });
  restart();
}

function restart(): void {
  stop?.abort();
  if (document.hidden) return;
  stop = new AbortController();
  void follow(stop.signal);
}

/** Reads the stream, again and again, until it is refused or another begins. */
async function follow(signal: AbortSignal): Promise<void> {
  let waitMs = FIRST_WAIT_MS;
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    const ending = await readOnce(signal, () => (waitMs = FIRST_WAIT_MS)).catch(endingBy);
    if (isOver()) return;
    set({ connection: ending });
    if (ending.kind === 'refused') return;
    await pause(waitMs * (0.75 + Math.random() / 2), signal);
    waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2);
  }
}

/** Statuses that do not change by asking again: no key or not the right one, no such stream. */
const FINAL: readonly number[] = [401, 403, 404];

function endingBy(error: unknown): Connection {
  if (!(error instanceof ApiError)) return { kind: 'lost', why: 'The connection is broken.' };
  const { status, message } = error;
  return FINAL.includes(status) ? { kind: 'refused', status, why: message } : { kind: 'lost', why: message };
}

async function readOnce(signal: AbortSignal, onOpen: () => void): Promise<Connection> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    const { body } = await request('live', { signal: AbortSignal.any([signal, silence.signal]), cache: 'no-store' });
    for await (const { name, data } of body === null ? [] : eventsOf(body)) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      if (name === 'welcome') {
        onOpen();
        set({ connection: { kind: 'open' }, state: begin(JSON.parse(data) as Welcome, live.state) });
      } else if (name === 'frame' && live.state !== undefined)
        set({ state: advance(live.state, JSON.parse(data) as Frame) });
    }
    return { kind: 'lost', why: 'The server has ended the connection.' };
  } finally {
    clearTimeout(timer);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
