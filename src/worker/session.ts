import { InferenceSession, type OnnxValue } from 'onnxruntime-node';
import type { LaneData, ModelSpec } from '../pool/messages.ts';
import { PROGRESS_BEGUN, PROGRESS_ENDED } from '../pool/messages.ts';
import type { Signature, Tensor } from '../tensor.ts';
import { readSignature } from './signature.ts';
import { fromOrt, toOrt } from './tensor.ts';

/** Milliseconds and outputs (in signature order) of one run. */
export interface SessionRun {
  readonly outputs: readonly Tensor[];
  readonly runMs: number;
}

/** A failed run is told to its client; on stderr as well, clients could fill the log. 4: fatal errors only. */
const QUIET: InferenceSession.RunOptions = { logSeverityLevel: 4 };

/** A model loaded on this lane. `run` computes on this thread and blocks it: that is what a lane is for. */
export class LaneSession {
  readonly spec: ModelSpec;
  signature: Signature;
  /** Most items of a batch that memory held, once a larger one did not fit. */
  maxItems: number | undefined;
  readonly #session: InferenceSession;
  readonly #progress: Int32Array;
  #runs = 0;

  constructor(spec: ModelSpec, session: InferenceSession, options: { signature: Signature; progress: Int32Array }) {
    this.spec = spec;
    this.signature = options.signature;
    this.#session = session;
    this.#progress = options.progress;
  }

  /** Runs the graph on whole tensors, in signature order; `simulate` adds model.json's sleep. Throws what ONNX Runtime throws. */
  async run(inputs: readonly Tensor[], { simulate = false } = {}): Promise<SessionRun> {
    const feeds: Record<string, OnnxValue> = {};
    for (const [index, spec] of this.signature.inputs.entries()) {
      const tensor = inputs[index];
      if (tensor === undefined) throw new Error(`input ${spec.name} is missing`);
      feeds[spec.name] = toOrt(tensor);
    }
    Atomics.add(this.#progress, PROGRESS_BEGUN, 1);
    try {
      const startMs = performance.now();
      const results = await this.#session.run(feeds, QUIET);
      const outputs = this.signature.outputs.map(({ name }) => {
        const output = results[name];
        if (output === undefined) throw new Error(`output ${name} is missing`);
        return fromOrt(output);
      });
      if (simulate) this.#simulate();
      return { outputs, runMs: performance.now() - startMs };
    } finally {
      Atomics.add(this.#progress, PROGRESS_ENDED, 1);
    }
  }

  /** Counts a batch of requests (not warm-up), so that `simulate.dieAtRun` can end the thread at one. */
  countBatch(): void {
    this.#runs += 1;
    // A worker thread's exit ends this thread alone: the lane dies as it would of a crash in its JavaScript.
    // eslint-disable-next-line no-restricted-properties
    if (this.#runs === this.spec.simulate.dieAtRun) process.exit(1);
  }

  async release(): Promise<void> {
    await this.#session.release();
  }

  /** Sleeps without giving up the thread, as a real run would. */
  #simulate(): void {
    const { runMs } = this.spec.simulate;
    if (runMs !== undefined && runMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, runMs);
  }
}

/** Opens the weights on the lane's device; the signature comes from metadata and overrides unless it is known already. */
export async function openSession(spec: ModelSpec, lane: LaneData, known?: Signature): Promise<LaneSession> {
  const session = await InferenceSession.create(spec.weights, sessionOptions(spec.session, lane));
  return new LaneSession(spec, session, {
    signature: known ?? readSignature(session, spec),
    progress: new Int32Array(lane.progress),
  });
}

/**
 * CUDA takes `deviceId` alone in Node, and its lane needs one CPU thread; a CPU lane gets its share of the cores. A model's
 * own session options win.
 */
export function sessionOptions(
  own: Readonly<Record<string, unknown>>,
  lane: LaneData,
): InferenceSession.SessionOptions {
  const { device } = lane;
  return {
    executionProviders: device.kind === 'cuda' ? [{ name: 'cuda', deviceId: device.index }, 'cpu'] : ['cpu'],
    intraOpNumThreads: device.kind === 'cuda' ? 1 : lane.intraOpThreads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    ...own,
  };
}
