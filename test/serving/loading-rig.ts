import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/core/clock.ts';
import { Core } from '../../src/core/core.ts';
import type { ServerError } from '../../src/errors.ts';
import { Lanes } from '../../src/lanes/lanes.ts';
import { planLanes } from '../../src/lanes/plan.ts';
import type { LaneRequest, LoadAnswer, WarmAnswer } from '../../src/lanes/protocol.ts';
import { createLogs } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { manifestSchema } from '../../src/repository/manifest.ts';
import type { ModelSource } from '../../src/repository/source.ts';
import { AloneLog } from '../../src/serving/alone-log.ts';
import { Loader } from '../../src/serving/loader.ts';
import type { ServedModel } from '../../src/serving/served-model.ts';
import type { TensorCore } from '../../src/serving/tickets.ts';
import { TABLE_SIGNATURE, tensor } from '../onnx/models.ts';
import { FakeThread } from './fake-thread.ts';

const metrics = createMetrics();
metrics.stop();

/** A model folder whose graph is the test's table; `manifest` as in model.json. */
export function sourceOf(name: string, manifest: object = {}): ModelSource {
  // Only the size of its folder is looked at.
  const folder = fileURLToPath(new URL('.', import.meta.url));
  return {
    name,
    version: 1,
    folder,
    weights: `${folder}model.onnx`,
    files: {},
    task: 'tensors',
    manifest: manifestSchema.parse(manifest),
    fingerprint: '',
    fileBytes: 0,
  };
}

/** A loader on fake lanes, whose threads die when the test says so. */
export class LoadingRig {
  readonly told: string[] = [];
  readonly threads: FakeThread[] = [];
  readonly lanes: Lanes;
  readonly core: TensorCore = new Core({ clock: systemClock });
  readonly loader: Loader;
  /** Keys that CPU threads were told to forget. */
  readonly forgotten: string[] = [];
  /** Requests that threads have been sent so far. */
  requests = 0;
  /** What lanes find in a model. */
  loadAnswer: LoadAnswer = { ok: true, signature: TABLE_SIGNATURE };
  /** Runs that a warm-up makes. */
  warmRuns: WarmAnswer['runs'] = [{ items: 1, runMs: 1 }];
  /** Lines of the log at level WARN and above. */
  readonly logged: string[] = [];
  /** How long a request takes: by default until the next turn. */
  take: (request: LaneRequest) => Promise<unknown> = () => setImmediate();
  /** Called before each answer with the number of the request, from 0. */
  onRequest: (number: number, request: LaneRequest, thread: FakeThread) => void = () => undefined;
  /** Why a request fails; undefined: it does not. */
  whyNot: (request: LaneRequest) => string | undefined = () => undefined;

  constructor() {
    const { core, told } = this;
    this.lanes = new Lanes(
      {
        onUp: (lane) => {
          told.push(`up ${lane.id}`);
          core.addLane(lane);
        },
        onDown: (id, reason) => {
          told.push(`down ${id}: ${reason}`);
          core.removeLane(id);
        },
        onLate: () => undefined,
        onModelLost: (key, reason) => void told.push(`lost ${key}: ${reason}`),
        onFailed: (reason) => void told.push(`failed: ${reason}`),
      },
      (options) => {
        const thread = new FakeThread(options, {
          take: (request) => this.take(request),
          loadAnswer: () => this.loadAnswer,
          warmRuns: () => this.warmRuns,
          beforeAnswer: (self, request) => {
            this.requests += 1;
            this.onRequest(this.requests - 1, request, self);
          },
          whyNot: (request) => this.whyNot(request),
        });
        this.threads.push(thread);
        return thread;
      },
    );
    const { log } = createLogs({
      level: 'warn',
      pretty: false,
      stream: { write: (line) => void this.logged.push(line) },
    });
    this.loader = new Loader({
      lanes: this.lanes,
      core,
      cpu: {
        run: () => Promise.reject(new Error('no CPU threads here')),
        forget: (key) => void this.forgotten.push(key),
      },
      trials: { open: (_, use) => use(trial) },
      metrics,
      log,
      alone: new AloneLog(log),
      timeoutMs: 60_000,
    });
  }

  /** Starts so many lanes on the CPU, or one on a GPU. */
  async start(lanes: number | 'cuda'): Promise<this> {
    const options = { laneThreads: 1, cores: 4, gpus: [0] };
    await this.lanes.start(
      planLanes(lanes === 'cuda' ? { device: 'cuda', lanes: 1, ...options } : { device: 'cpu', lanes, ...options }),
    );
    this.requests = 0;
    return this;
  }

  /** The thread that a lane has now. */
  thread(id: number): FakeThread {
    const thread = this.threads.findLast((one) => one.id === id);
    assert.ok(thread !== undefined);
    return thread;
  }

  kill(id: number, reason = 'killed'): void {
    this.thread(id).die(reason);
  }

  /** What all live threads hold, as `lane: keys`. */
  holdings(): string[] {
    return this.threads
      .filter(({ lost }) => !lost)
      .map(({ id, held }) => `${id}: ${[...held.keys()].sort().join(' ')}`);
  }

  /** All lanes are up, and hold these models once each and nothing else; the core takes requests for them. */
  async checkServed(models: readonly ServedModel[], laneIds: readonly number[]): Promise<void> {
    await this.lanes.replaced();
    const keys = models.map(({ key }) => key).sort();
    for (const id of laneIds) {
      const { held, lost } = this.thread(id);
      assert.deepEqual([id, lost, [...held.keys()].sort()], [id, false, keys], this.told.join('\n'));
      assert.ok(
        [...held.values()].every((times) => times === 1),
        `loaded once on lane ${id}`,
      );
    }
    for (const { key } of models) assert.ok(this.core.depth(key).queueItems > 0);
  }
}

const trial = {
  signature: TABLE_SIGNATURE,
  try: () =>
    Promise.resolve({
      kind: 'tried' as const,
      signature: TABLE_SIGNATURE,
      row: [tensor('INT64', [1], [1])],
      runs: [{ items: 1, elements: 1, runMs: 1 }],
    }),
  empties: () => Promise.resolve([]),
};

/** The loaded model, or why there is none. */
export async function outcomeOf(load: Promise<ServedModel>): Promise<ServedModel | (Error & Partial<ServerError>)> {
  return load.catch((error: unknown) => error as Error);
}
