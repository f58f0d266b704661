import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { ProbeThreadAnswer, ProbeThreadData } from './probe-reply.ts';
import { probeReplies, stalledReplies } from './probes.ts';
import type { Services } from './services.ts';

const THREAD = new URL('./probe-thread.js', import.meta.url);
/** How often the main thread shows that it moves, and tells the thread what probes are answered if that has changed. */
const BEAT_MS = 100;
/** It holds a few lines of text. */
const MOST_HEAP_MB = 32;

/**
 * PROBE_PORT: health probes answered by a thread of their own. A probe on the port of the clients waits behind them to be accepted, and for the
 * turn of the main thread; and of a main thread that stands still it says nothing.
 */
export class ProbePort {
  readonly port: number;
  readonly #thread: Worker;
  readonly #services: Services;
  readonly #beats: Int32Array;
  readonly #timer: NodeJS.Timeout;
  #told: string;

  private constructor(thread: Worker, data: ProbeThreadData, options: { port: number; services: Services }) {
    this.port = options.port;
    this.#thread = thread;
    this.#services = options.services;
    this.#beats = new Int32Array(data.beats);
    this.#told = JSON.stringify(data.replies);
    this.#timer = setInterval(() => this.#beat(), BEAT_MS).unref();
    // Readiness ends with the signal to stop, not some time after it.
    options.services.state.onChange(() => this.#beat());
  }

  /** Listens. Rejects with the error of the system, with its `code`, where it cannot. */
  static async open(services: Services): Promise<ProbePort> {
    const { config, log } = services;
    const data: ProbeThreadData = {
      host: config.HOST,
      port: config.PROBE_PORT,
      beats: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
      replies: probeReplies(services),
      stalled: stalledReplies(config),
    };
    const thread = new Worker(THREAD, {
      workerData: data,
      name: 'carpool-probes',
      resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MB },
    });
    const [answer] = (await once(thread, 'message')) as [ProbeThreadAnswer];
    if ('problem' in answer) {
      await thread.terminate();
      const { code, message } = answer.problem;
      throw Object.assign(new Error(message), { code });
    }
    thread.on('error', (error) => log.error({ err: error }, 'the thread of PROBE_PORT died; its probes fail'));
    thread.unref();
    return new ProbePort(thread, data, { port: answer.port, services });
  }

  /** Closes the port. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#thread.terminate();
  }

  #beat(): void {
    Atomics.add(this.#beats, 0, 1);
    const replies = probeReplies(this.#services);
    const told = JSON.stringify(replies);
    if (told === this.#told) return;
    this.#told = told;
    this.#thread.postMessage(replies);
  }
}
