import { createInbox, deferred, nanos, type Msg } from '@nats-io/transport-node';
import { REQUEST_LIMIT_MS, type Connection } from './connection.ts';
import { CONSUMER, QueueGoneError } from './queue.ts';

export interface PullOptions {
  /** Name of the stream. */
  readonly queue: string;
  readonly most: number;
  /** Longest wait for the first message. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/** Statuses that end a request: no message in time, or fewer than were asked for. */
const NO_MESSAGES = 404;
const REQUEST_ENDED = 408;
const NO_RESPONDERS = 503;
const HEARTBEAT = 100;

/**
 * Up to `most` messages, as soon as there is one; none after `waitMs`, or when the signal is aborted. Rejects if there are none because the server cannot
 * be asked. The client's own `fetch` waits until it has as many as it was asked for, and its `consume` takes some ahead, whose leases would end meanwhile.
 * https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-13.md
 */
export async function pull(connection: Connection, { queue, most, waitMs, signal }: PullOptions): Promise<Msg[]> {
  connection.checkUp();
  const { nats, jetstream } = connection;
  const inbox = createInbox();
  const messages: Msg[] = [];
  const ended = deferred<undefined>();
  const end = (problem?: Error): void => {
    if (problem === undefined || messages.length > 0) ended.resolve(undefined);
    else ended.reject(problem);
  };
  const subscription = nats.subscribe(inbox, {
    callback: (error, message) => {
      if (error !== null) end(error);
      else if (message.subject !== inbox) messages.push(message);
      else if (message.headers?.code !== HEARTBEAT) end(problemOf(message));
      if (messages.length === most) end();
    },
  });
  // Messages that are on their way to us still arrive; without us they would be nobody's until their lease has ended.
  const stop = (): void =>
    void subscription.drain().then(
      () => end(),
      () => end(),
    );
  const forget = connection.onDown(() => end(new Error('the connection to NATS has failed')));
  const timer = setTimeout(() => end(new Error('NATS does not answer')), waitMs + REQUEST_LIMIT_MS);
  signal.addEventListener('abort', stop, { once: true });
  try {
    // With both of these the server waits, and ends the request with the first messages that it has. A limit in bytes besides would be told before the
    // messages arrive, where the consumer has replicas.
    const request = { batch: most, no_wait: true, expires: nanos(waitMs) };
    nats.publish(`${jetstream.apiPrefix}.CONSUMER.MSG.NEXT.${queue}.${CONSUMER}`, JSON.stringify(request), {
      reply: inbox,
    });
    if (signal.aborted) stop();
    await ended;
    return messages;
  } finally {
    signal.removeEventListener('abort', stop);
    clearTimeout(timer);
    forget();
    subscription.unsubscribe();
  }
}

function problemOf({ headers }: Msg): Error | undefined {
  const { code, description } = headers ?? { code: 0, description: 'no status' };
  if (code === NO_MESSAGES || code === REQUEST_ENDED) return undefined;
  if (code === NO_RESPONDERS || /deleted/i.test(description)) return new QueueGoneError(description);
  return new Error(`NATS has refused to give jobs: ${code} ${description}`);
}
