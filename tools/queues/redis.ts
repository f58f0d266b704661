import { createClient } from '@redis/client';
import { RedisServer } from '../../test/jobs/redis/redis-server.ts';
import type { RealQueue } from './real-queue.ts';

const STREAM = 'jobs';
const GROUP = 'carpool';

/** A Redis server that writes everything to its log at once. */
export async function redisQueue(): Promise<RealQueue> {
  const server = await RedisServer.startFor();
  const client = createClient({ url: server.url, RESP: 2, disableOfflineQueue: true });
  client.on('error', () => undefined);
  await client.connect();
  const ask = (...args: string[]): Promise<unknown> => client.sendCommand(args);
  return {
    name: 'redis',
    port: server.port,
    env: (port) => ({ JOB_SOURCE: 'redis', JOB_QUEUE: STREAM, REDIS_URL: `redis://127.0.0.1:${port}` }),
    send: async (job) => String(await ask('XADD', STREAM, '*', 'job', job)),
    result: async (id) => ((await ask('GET', `${STREAM}:result:${id}`)) as string | null) ?? undefined,
    jobs: async () => Number(await ask('XLEN', STREAM)),
    deadLetters: async () => Number(await ask('XLEN', `${STREAM}:dead`)),
    async oldestHoldMs() {
      const held = (await ask('XPENDING', STREAM, GROUP, '-', '+', '10000')) as [string, string, number, number][];
      return Math.max(0, ...held.map(([, , idleMs]) => idleMs));
    },
    restart: () => server.restart(),
    pause: () => server.pause(),
    async stop() {
      client.destroy();
      await server.stop();
    },
  };
}
