import {
  AckPolicy,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  ReplayPolicy,
  RetentionPolicy,
  StorageType,
  type ConsumerConfig,
  type JetStreamManager,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream';
import { nanos, RequestError } from '@nats-io/transport-node';
import type { Log } from '../../log.ts';

/** All servers share one consumer, so each message goes to one of them. */
export const CONSUMER = 'carpool';

/** Longest time in which JetStream tells a message that was sent twice by its id. */
const DUPLICATES_MS = 120_000;

/** A stream or the consumer is not there, or nobody answers for it at the moment. */
export class QueueGoneError extends Error {}

export interface QueueOptions {
  /** Name of the stream of jobs. */
  readonly queue: string;
  readonly leaseMs: number;
  readonly resultTtlMs: number;
}

/** What else belongs to a queue, by the name of its stream. */
export function placesOf(queue: string) {
  return {
    /** The stream of results; that of a job is at `<results>.<id>`. */
    results: `${queue}-results`,
    /** How often a job was given back unserved; in the stream of results, at `<givenBack>.<id>`. */
    givenBack: `${queue}-given-back`,
    /** The stream of dead letters. */
    dead: `${queue}-dead`,
    /** Whoever sends anything to `<cancel>.<id>` cancels a job that is running; no stream. */
    cancel: `${queue}-cancel`,
  } as const;
}

/**
 * Makes the streams and the consumer where they are absent. Those that are there are kept, as whoever made them (replicas, limits, more subjects);
 * throws an Error where jobs would be lost in them, and brings the lease and the age of results up to date.
 */
export async function prepareQueue(
  manager: JetStreamManager,
  { queue, leaseMs, resultTtlMs }: QueueOptions,
  log: Pick<Log, 'warn'>,
): Promise<void> {
  if (!/^[\w-]+$/.test(queue)) throw new Error('JOB_QUEUE must be the name of a stream: letters, digits, `_` and `-`');
  const { results, givenBack, dead } = placesOf(queue);
  const jobs = await streamOf(manager, {
    name: queue,
    subjects: [queue],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
  });
  if (jobs.config.retention !== RetentionPolicy.Workqueue)
    throw new Error(`the stream ${queue} has ${jobs.config.retention} retention; jobs need a work queue`);
  await prepareConsumer(manager, { queue, leaseMs }, log);
  const maxAge = nanos(resultTtlMs);
  const kept = {
    max_age: maxAge,
    duplicate_window: Math.min(maxAge, nanos(DUPLICATES_MS)),
  };
  const { config } = await streamOf(manager, {
    name: results,
    subjects: [`${results}.*`, `${givenBack}.*`],
    storage: StorageType.File,
    max_msgs_per_subject: 1,
    allow_direct: true,
    ...kept,
  });
  if (config.max_age !== maxAge) await manager.streams.update(results, kept);
  await streamOf(manager, { name: dead, subjects: [`${dead}.*`], storage: StorageType.File });
}

async function streamOf(
  manager: JetStreamManager,
  config: Partial<StreamConfig> & { readonly name: string },
): Promise<StreamInfo> {
  try {
    return await manager.streams.info(config.name);
  } catch (error) {
    if (!isCode(error, JetStreamApiCodes.StreamNotFound)) throw error;
    return manager.streams.add(config);
  }
}

async function prepareConsumer(
  manager: JetStreamManager,
  { queue, leaseMs }: Pick<QueueOptions, 'queue' | 'leaseMs'>,
  log: Pick<Log, 'warn'>,
): Promise<void> {
  const wanted = {
    ack_wait: nanos(leaseMs),
    // Attempts are counted here: beyond its own limit JetStream leaves a message in the stream for ever, and it counts what was given back.
    max_deliver: -1,
    // It is the sum of all servers; each holds no more than it has room for.
    max_ack_pending: -1,
  };
  let config: ConsumerConfig;
  try {
    ({ config } = await manager.consumers.info(queue, CONSUMER));
  } catch (error) {
    if (!isCode(error, JetStreamApiCodes.ConsumerNotFound)) throw error;
    ({ config } = await manager.consumers.add(queue, {
      durable_name: CONSUMER,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      replay_policy: ReplayPolicy.Instant,
      ...wanted,
    }));
  }
  const isPull = config.deliver_subject === undefined;
  if (config.ack_policy !== AckPolicy.Explicit || !isPull || (config.backoff ?? []).length > 0)
    throw new Error(`the consumer ${CONSUMER} of ${queue} must be a pull consumer with explicit acks and no backoff`);
  if (Object.entries(wanted).every(([name, value]) => config[name as keyof ConsumerConfig] === value)) return;
  log.warn({ queue, leaseMs }, 'the consumer gets this lease; servers with another one should be started again');
  await manager.consumers.update(queue, CONSUMER, wanted);
}

/** The error as a QueueGoneError if it says that nobody answers for a stream. */
export function asGone(error: unknown): unknown {
  const isUnanswered = error instanceof Error && error.cause instanceof RequestError && error.cause.isNoResponders();
  if (!isUnanswered && !isCode(error, JetStreamApiCodes.StreamNotFound)) return error;
  return new QueueGoneError('nobody answers for a stream of the queue', { cause: error });
}

/** Whether JetStream has refused a request with this code. */
export function isCode(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}
