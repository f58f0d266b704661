import { InferenceSession, type OnnxValue, type Tensor as OrtTensor } from 'onnxruntime-node';
import { PROGRESS_BEGUN, PROGRESS_ENDED, type LaneData } from '../pool/messages.ts';

/** A failed run is told to its client; on stderr as well, clients could fill the log. 4: fatal errors only. */
const QUIET: InferenceSession.RunOptions = { logSeverityLevel: 4 };

/** One ONNX file opened on this lane. `run` computes on this thread and blocks it: that is what a lane is for. */
export class Graph {
  readonly session: InferenceSession;
  readonly #progress: Int32Array;

  constructor(session: InferenceSession, lane: LaneData) {
    this.session = session;
    this.#progress = new Int32Array(lane.progress);
  }

  /**
   * Runs the graph, seen by the watchdog. `fetches`: the outputs wanted, each null or a tensor to write into; default: all. `sleepMs` is
   * model.json's `simulate`. Throws what ONNX Runtime throws.
   */
  async run(
    feeds: Readonly<Record<string, OnnxValue>>,
    fetches?: Readonly<Record<string, OnnxValue | null>>,
    sleepMs = 0,
  ): Promise<Readonly<Record<string, OrtTensor>>> {
    Atomics.add(this.#progress, PROGRESS_BEGUN, 1);
    try {
      const results =
        fetches === undefined ? await this.session.run(feeds, QUIET) : await this.session.run(feeds, fetches, QUIET);
      // Without giving up the thread, as a real run would.
      if (sleepMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, sleepMs);
      return results;
    } finally {
      Atomics.add(this.#progress, PROGRESS_ENDED, 1);
    }
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

/** Opens an ONNX file on the lane's device; `own` are session options of model.json. Throws what ONNX Runtime throws. */
export async function openGraph(file: string, own: Readonly<Record<string, unknown>>, lane: LaneData): Promise<Graph> {
  return new Graph(await InferenceSession.create(file, sessionOptions(own, lane)), lane);
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
