import { basename, dirname } from 'node:path';
import { InferenceSession, type OnnxValue, type Tensor as OrtTensor } from 'onnxruntime-node';
import { PROGRESS_BEGUN, PROGRESS_ENDED, type LaneData } from '../device.ts';
import type { DynamicQuantisation, ModelSpec } from '../model-spec.ts';
import { dynamicOperator } from './dynamic-quantisation.ts';
import { explainLoadError } from './load-error.ts';
import { readExternalData } from './external-data.ts';
import { findOperator } from './operators.ts';
import { tryReadOnnxModel } from './structure.ts';
import { accuracyLevel } from './surgery/accuracy-level.ts';
import { rewritten, type Edit } from './surgery/rewrite.ts';
import { tensorsForMaps, ZIP_MAP } from './surgery/zip-map.ts';

/** A failed run is reported to its client. If it were on stderr too, clients could fill the log. 4: fatal errors only. */
const QUIET: InferenceSession.RunOptions = { logSeverityLevel: 4 };

/**
 * Warnings are switched off: they would be lines on stderr in another format than the log's, one for each run of a graph whose outputs have
 * other sizes than its file says (detectors that were exported for one image).
 */
const ERRORS = 3;

/** One ONNX file opened on this lane. `run` computes on this thread and blocks it: that is what a lane is for. */
export class Graph {
  readonly session: InferenceSession;
  /** An operator that makes a row's answer depend on the other rows of a run and on padding: then rows must run alone. */
  readonly dynamicOperator: string | undefined;
  readonly #progress: Int32Array;

  constructor(session: InferenceSession, lane: LaneData, dynamicOperator?: string) {
    this.session = session;
    this.dynamicOperator = dynamicOperator;
    this.#progress = new Int32Array(lane.progress);
  }

  /**
   * Runs the graph, watched by the watchdog. `fetches` are the outputs wanted, each null or a tensor to write into; default: all. Throws what
   * ONNX Runtime throws.
   */
  async run(
    feeds: Readonly<Record<string, OnnxValue>>,
    fetches?: Readonly<Record<string, OnnxValue | null>>,
  ): Promise<Readonly<Record<string, OrtTensor>>> {
    Atomics.add(this.#progress, PROGRESS_BEGUN, 1);
    try {
      return fetches === undefined
        ? await this.session.run(feeds, QUIET)
        : await this.session.run(feeds, fetches, QUIET);
    } finally {
      Atomics.add(this.#progress, PROGRESS_ENDED, 1);
    }
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

/** Session options of model.json, and what it says of quantised weights. */
export type OwnOptions = Readonly<Record<string, unknown>> & {
  readonly accuracyLevel?: number | undefined;
  readonly dynamicQuantisation?: DynamicQuantisation | undefined;
};

/** What model.json says of one of a model's graphs. */
export function ownOptions({ session, accuracyLevel, dynamicQuantisation }: ModelSpec, role: string): OwnOptions {
  return {
    ...session,
    accuracyLevel: accuracyLevel?.[role],
    dynamicQuantisation: typeof dynamicQuantisation === 'object' ? dynamicQuantisation[role] : dynamicQuantisation,
  };
}

/** A lane that takes warnings for the log while a graph is opened. */
export interface OpeningLane extends LaneData {
  readonly warn?: (message: string) => void;
}

/**
 * Opens an ONNX file on the lane's device, changed by the edits and by what model.json asks for. Its outputs are tensors where that is possible.
 * Throws what ONNX Runtime throws, explained, and what the edits throw.
 */
export async function openGraph(
  file: string,
  own: OwnOptions,
  lane: OpeningLane,
  edits: readonly Edit[] = [],
): Promise<Graph> {
  const model = tryReadOnnxModel(file);
  const hasMaps = model !== undefined && findOperator(model, ZIP_MAPS) !== undefined;
  const all = [
    ...(own.accuracyLevel === undefined ? [] : [accuracyLevel(own.accuracyLevel)]),
    ...edits,
    ...(hasMaps ? [tensorsForMaps] : []),
  ];
  const bytes = all.length === 0 ? undefined : rewritten(file, all);
  try {
    const session = await createSession(bytes ?? file, { file, own, lane });
    const alone = model === undefined || own.dynamicQuantisation === 'together' ? undefined : dynamicOperator(model);
    return new Graph(session, lane, alone);
  } catch (error) {
    throw explainLoadError(error, file);
  } finally {
    bytes?.buffer.resize(0);
  }
}

const ZIP_MAPS = new Set([`ai.onnx.ml:${ZIP_MAP}`]);

/** The folder in which ONNX Runtime looks for external data of a graph given as bytes (onnxruntime_session_options_config_keys.h). */
const WEIGHTS_FOLDER = 'session.model_external_initializers_file_folder_path';

/** Opens the file, or the bytes that stand in for it. */
async function createSession(
  model: string | Uint8Array,
  { file, own, lane }: { file: string; own: OwnOptions; lane: OpeningLane },
): Promise<InferenceSession> {
  const external = readExternalData(file);
  if (external.mappedBytes > 0)
    lane.warn?.(
      `the external data of ${basename(file)} (${external.mappedBytes} bytes) is too large to be held in memory twice and stays mapped: replace its files by renaming new ones, never write over them while the model is loaded`,
    );
  const options = {
    ...sessionOptions(own, lane),
    ...(external.files.length === 0 ? {} : { externalData: external.files }),
  };
  try {
    if (typeof model === 'string') return await InferenceSession.create(model, options);
    const extra = { ...options.extra, [WEIGHTS_FOLDER]: dirname(file) };
    return await InferenceSession.create(model, { ...options, extra });
  } finally {
    external.release();
  }
}

/** Options of model.json that are not ONNX Runtime's. */
const OUR_OPTIONS: ReadonlySet<string> = new Set<keyof OwnOptions>(['accuracyLevel', 'dynamicQuantisation']);

/**
 * CUDA takes `deviceId` alone in Node, and its lane needs one CPU thread; a CPU lane gets its share of the cores. A model's
 * own session options win.
 */
export function sessionOptions(own: OwnOptions, lane: LaneData): InferenceSession.SessionOptions {
  const { device } = lane;
  const options = Object.fromEntries(Object.entries(own).filter(([name]) => !OUR_OPTIONS.has(name)));
  return {
    executionProviders: device.kind === 'cuda' ? [{ name: 'cuda', deviceId: device.index }, 'cpu'] : ['cpu'],
    intraOpNumThreads: device.kind === 'cuda' ? 1 : lane.intraOpThreads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: ERRORS,
    ...options,
  };
}
