import type { IncomingMessage } from 'node:http';
import { ServerError, toServerError } from '../errors.ts';
import { countGarbage } from '../garbage.ts';
import { freeBuffer } from './free-buffer.ts';
import type { Cancellation } from '../serving/cancellation.ts';
import { DeadlineWatch, type Deadline, type TimedWait } from '../serving/deadline.ts';
import type { BodyBudget, BudgetShare } from './body-budget.ts';
import { GrowingBytes } from './growing-bytes.ts';
import { Semaphore } from './semaphore.ts';
import { codingOf, unpack } from './unpack.ts';

export interface BodyLimits {
  readonly limitBytes: number;
  readonly budget: BodyBudget;
  /** Tells when the client has left, once the body has arrived. */
  readonly cancellation?: Cancellation;
  /** The deadline of the request, which ends the wait for its body. */
  readonly deadline: Deadline;
}

/** A body in one buffer of its own (never a part of Node's shared pool, so that it can be handed to another thread). */
export interface Body {
  readonly bytes: Uint8Array;
  /** Gives its share of the budget back. */
  readonly release: () => void;
}

const arrivals = new DeadlineWatch();

/** Bodies unpacked at one time: each can grow to the largest size, and all use the threads that read files and look up names. */
const unpacking = new Semaphore({ places: 3 });
/** Of one client. */
const MOST_UNPACKED_OF_ONE = 2;
const UNPACK_WAIT_MS = 10_000;

/**
 * Reads and decompresses a request body. Throws TOO_LARGE (also when it grows beyond the limit by decompression), QUEUE_FULL (the budget is
 * used up), REQUEST_TIMEOUT (it has not arrived by the deadline), UNSUPPORTED_MEDIA_TYPE (content encoding), BAD_REQUEST (it is not in its encoding), CANCELLED (cut off, the client left).
 */
export async function readBody(request: IncomingMessage, limits: BodyLimits): Promise<Body> {
  const coding = codingOf(request.headers['content-encoding']);
  const { 'content-length': length } = request.headers;
  const declared = length === undefined ? undefined : Number(length);
  if (declared !== undefined && declared > limits.limitBytes) throw tooLarge(limits.limitBytes);
  const share = limits.budget.share(request.socket.remoteAddress);
  try {
    const body = new GrowingBytes({ limitBytes: limits.limitBytes, declaredBytes: declared, account: share });
    await arrive(body, request, limits);
    const bytes = body.whole();
    return {
      bytes: coding === undefined ? bytes : await unpackInTurn(bytes, coding, { ...limits, share }),
      release: () => share.release(),
    };
  } catch (error) {
    share.release();
    throw error;
  }
}

function tooLarge(limitBytes: number): ServerError {
  return new ServerError('TOO_LARGE', `The request body is larger than ${limitBytes} bytes.`);
}

function tooMany(): ServerError {
  return new ServerError('QUEUE_FULL', 'Too many compressed bodies are waiting to be unpacked.', {
    retryAfterMs: 1000,
  });
}

/**
 * Each piece costs the main thread some microseconds, whatever its size, and Node reads up to 2 MB of a connection in one turn of the event
 * loop: in chunks of one byte, that would stop everything else for a second.
 */
const MOST_SMALL_PIECES = 65_536;
const SMALL_PIECE_BYTES = 32;

/** Takes in a piece. Throws TOO_LARGE, QUEUE_FULL. */
function taker(body: GrowingBytes, limitBytes: number): (piece: Uint8Array) => void {
  let pieces = 0;
  return (piece) => {
    pieces += 1;
    if (pieces > MOST_SMALL_PIECES && body.length < pieces * SMALL_PIECE_BYTES)
      throw new ServerError(
        'TOO_LARGE',
        `The body comes in more than ${MOST_SMALL_PIECES} chunks of less than ${SMALL_PIECE_BYTES} bytes: send larger ones.`,
      );
    if (body.length + piece.byteLength > limitBytes) throw tooLarge(limitBytes);
    body.add(piece);
    countGarbage(piece.byteLength);
  };
}

async function unpackInTurn(
  packed: Uint8Array,
  coding: string,
  { limitBytes, share, cancellation, deadline }: BodyLimits & { readonly share: BudgetShare },
): Promise<Uint8Array> {
  const body = new GrowingBytes({ limitBytes, account: share });
  const take = taker(body, limitBytes);
  const limitMs = Math.min(UNPACK_WAIT_MS, deadline.leftMs());
  const waiter = { shares: [{ key: share.client, places: MOST_UNPACKED_OF_ONE }], limitMs, cancellation };
  try {
    await unpacking.run(waiter, () => unpack(packed, coding, { take, cancellation, deadline }));
  } catch (error) {
    body.free();
    throw toServerError(error).code === 'DEADLINE_EXCEEDED' && deadline.leftMs() > 0 ? tooMany() : error;
  }
  share.give(packed.byteLength);
  // Not after a failure: a thread of zlib's may still read it.
  freeBuffer(packed.buffer);
  return body.whole();
}

/** The wait for a body. */
class ArrivalWait implements TimedWait {
  readonly deadlineMs: number;
  heapIndex = -1;
  readonly #settle: (error: ServerError) => void;

  constructor(deadlineMs: number, settle: (error: ServerError) => void) {
    this.deadlineMs = deadlineMs;
    this.#settle = settle;
  }

  late(): void {
    this.#settle(new ServerError('REQUEST_TIMEOUT', 'The body did not arrive within the time limit of the request.'));
  }
}

/** Reads the body; if it does not arrive in full, what has arrived is freed. */
function arrive(body: GrowingBytes, request: IncomingMessage, { limitBytes, deadline }: BodyLimits): Promise<void> {
  const take = taker(body, limitBytes);
  return new Promise((resolve, reject) => {
    let isOver = false;
    const settle = (error?: ServerError): void => {
      if (isOver) return;
      isOver = true;
      arrivals.forget(wait);
      if (error === undefined) resolve();
      else {
        body.free();
        reject(error);
      }
    };
    const onData = (piece: Uint8Array): void => {
      if (isOver) return;
      try {
        take(piece);
      } catch (error) {
        settle(toServerError(error));
      }
    };
    const onEnd = (): void => settle();
    const onGone = (): void => settle(new ServerError('CANCELLED'));
    const wait = new ArrivalWait(deadline.atMs, settle);
    arrivals.watch(wait);
    // They stay: to remove them would cost each request a microsecond.
    request.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  });
}
