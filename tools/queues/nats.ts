import { prepareQueue } from '../../src/jobs/nats/queue.ts';
import { freePort } from '../../test/free-port.ts';
import { lastOf, NatsServer, type NatsClient } from '../../test/jobs/nats/nats-server.ts';
import { until } from '../../test/until.ts';
import type { RealQueue } from './real-queue.ts';

const STREAM = 'jobs';
const STREAMS = [STREAM, `${STREAM}-results`, `${STREAM}-dead`];
const SERVERS = 3;

/** A NATS server with JetStream. */
export async function natsQueue(): Promise<RealQueue> {
  const server = await NatsServer.startFor();
  const client = await server.client();
  await prepare(client);
  return {
    ...queueOf(client),
    port: server.port,
    env: (port) => envOf([port]),
    restart: () => server.restart(),
    pause: () => server.pause(),
    async stop() {
      await client.nats.close();
      await server.stop();
    },
  };
}

/** Three of them that keep every stream together, so that each may be gone for a while: it is the leader of the jobs that is killed. */
export async function natsCluster(): Promise<RealQueue> {
  const routes = await Promise.all(Array.from({ length: SERVERS }, freePort));
  const route = (port: number): string => `nats://127.0.0.1:${port}`;
  const flags = (index: number): string[] => [
    ...['--name', nameOf(index), '--cluster_name', 'carpool'],
    ...['--cluster', route(routes[index] ?? 0), '--routes', routes.map(route).join(',')],
  ];
  const servers = await Promise.all(routes.map((_, index) => NatsServer.startFor(flags(index))));
  const ports = servers.map(({ port }) => port);
  const [first] = servers;
  if (first === undefined) throw new Error('there are no servers');
  const client = await first.client({ servers: ports.map((port) => `127.0.0.1:${port}`) });
  const { manager } = client;
  // While there is no leader of all yet, nothing can be made.
  await until('streams', () => answerOf(() => prepare(client)));
  for (const stream of STREAMS)
    await until(`replicas of ${stream}`, () =>
      answerOf(() => manager.streams.update(stream, { num_replicas: SERVERS })),
    );
  return {
    ...queueOf(client),
    port: first.port,
    env: (port) => envOf([port, ...ports.slice(1)]),
    async restart() {
      const leader = await until('a leader', () => leaderOf(client));
      await servers.find((_, index) => leader === nameOf(index))?.restart();
    },
    async stop() {
      await client.nats.close();
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

function nameOf(index: number): string {
  return `server-${index}`;
}

/** Of the stream of jobs; undefined while there is none, or nobody says. */
async function leaderOf({ manager }: NatsClient): Promise<string | undefined> {
  const info = await manager.streams.info(STREAM).catch(() => undefined);
  return info?.cluster?.leader;
}

function prepare({ manager }: NatsClient): Promise<void> {
  const options = { queue: STREAM, leaseMs: 60_000, resultTtlMs: 86_400_000 };
  return prepareQueue(manager, options, { warn: () => undefined });
}

function envOf(ports: readonly number[]): Readonly<Record<string, string>> {
  const urls = ports.map((port) => `nats://127.0.0.1:${port}`);
  return { JOB_SOURCE: 'nats', JOB_QUEUE: STREAM, NATS_URL: urls.join(',') };
}

function queueOf(client: NatsClient) {
  const { jetstream, manager } = client;
  const messages = async (stream: string): Promise<number> => (await manager.streams.info(stream)).state.messages;
  return {
    name: 'nats',
    send: async (job: string, msgID: string) =>
      String((await jetstream.publish(STREAM, job, { msgID, timeout: 2000 })).seq),
    result: async (id: string) => (await lastOf(client, `${STREAM}-results`, `${STREAM}-results.${id}`))?.string(),
    jobs: () => messages(STREAM),
    deadLetters: () => messages(`${STREAM}-dead`),
    // Every message of a stream has a number of its own, also one that replaces another.
    resultsStored: async () => (await manager.streams.info(`${STREAM}-results`)).state.last_seq,
  };
}

/** Undefined where there is none. */
async function answerOf(question: () => Promise<unknown>): Promise<true | undefined> {
  try {
    await question();
    return true;
  } catch {
    return undefined;
  }
}
