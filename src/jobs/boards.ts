import type { Config } from '../config/options.ts';
import type { Log } from '../log.ts';
import type { QueueBoard } from './queue-board.ts';
import { leaseOf } from './sources.ts';
import type { Outbox } from './webhooks/outbox.ts';

export interface BoardParts {
  readonly config: Config;
  readonly log: Log;
  readonly outbox: Outbox;
}

/** The queues that `POST /v1/jobs` can add to; each is loaded only where it is used. */
const BOARDS: Readonly<Record<string, (parts: BoardParts) => Promise<QueueBoard>>> = {
  async nats({ config, log, outbox }) {
    const { NatsBoard } = await import('./nats/board.ts');
    return NatsBoard.open({
      address: { url: config.NATS_URL, credsFile: config.NATS_CREDS, caFile: config.NATS_CA },
      queue: config.JOB_QUEUE,
      leaseMs: leaseOf(config),
      resultTtlMs: config.JOB_RESULT_TTL_MS,
      limit: config.JOB_QUEUE_LIMIT,
      log,
      outbox,
    });
  },
  async redis({ config, log, outbox }) {
    const { RedisBoard } = await import('./redis/board.ts');
    return RedisBoard.open({
      url: config.REDIS_URL,
      queue: config.JOB_QUEUE,
      leaseMs: leaseOf(config),
      resultTtlMs: config.JOB_RESULT_TTL_MS,
      limit: config.JOB_QUEUE_LIMIT,
      log,
      outbox,
    });
  },
};

/** Whether jobs of `POST /v1/jobs` go into the queue of JOB_SOURCE. With JOB_MAP its messages are of another shape. */
export function hasBoard({ JOB_SOURCE, JOB_MAP, INFERENCE_API }: Config): boolean {
  return INFERENCE_API && JOB_MAP === '' && Object.hasOwn(BOARDS, JOB_SOURCE);
}

/** Opens the board of the queue, if there is one. Rejects if the queue cannot be reached. */
export async function openBoard(parts: BoardParts): Promise<QueueBoard | undefined> {
  return hasBoard(parts.config) ? BOARDS[parts.config.JOB_SOURCE]?.(parts) : undefined;
}
