import { prepareQueue } from '../../src/jobs/nats/queue.ts';
import { lastOf, NatsServer } from '../../test/jobs/nats/nats-server.ts';
import type { RealQueue } from './real-queue.ts';

const STREAM = 'jobs';

/** A NATS server with JetStream. */
export async function natsQueue(): Promise<RealQueue> {
  const server = await NatsServer.startFor();
  const client = await server.client();
  const { jetstream, manager, nats } = client;
  await prepareQueue(manager, { queue: STREAM, leaseMs: 60_000, resultTtlMs: 86_400_000 }, { warn: () => undefined });
  const messages = async (stream: string): Promise<number> => (await manager.streams.info(stream)).state.messages;
  return {
    name: 'nats',
    port: server.port,
    env: (port) => ({ JOB_SOURCE: 'nats', JOB_QUEUE: STREAM, NATS_URL: `nats://127.0.0.1:${port}` }),
    send: async (job, msgID) => String((await jetstream.publish(STREAM, job, { msgID, timeout: 2000 })).seq),
    result: async (id) => (await lastOf(client, `${STREAM}-results`, `${STREAM}-results.${id}`))?.string(),
    jobs: () => messages(STREAM),
    deadLetters: () => messages(`${STREAM}-dead`),
    // Every message of a stream has a number of its own, also one that replaces another.
    resultsStored: async () => (await manager.streams.info(`${STREAM}-results`)).state.last_seq,
    restart: () => server.restart(),
    async stop() {
      await nats.close();
      await server.stop();
    },
  };
}
