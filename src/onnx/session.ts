import type { OnnxValue } from 'onnxruntime-node';
import type { LaneData } from '../device.ts';
import type { ModelSpec } from '../model-spec.ts';
import { oneByOne, type Signature, type Tensor } from '../tensors/tensor.ts';
import { openGraph, ownOptions, type Graph } from './graph.ts';
import { releaseOnFailure } from './release-on-failure.ts';
import { readDimensionNames, type DimensionNames } from './dimension-names.ts';
import { readSignature } from './signature.ts';
import type { Edit } from './surgery/rewrite.ts';
import { fromOrt, toOrt } from './ort-tensor.ts';

/** Milliseconds and outputs (in signature order) of one run. */
export interface SessionRun {
  readonly outputs: readonly Tensor[];
  readonly runMs: number;
}

/** A model loaded on this lane. `run` computes on this thread and blocks it: that is what a lane is for. */
export class LaneSession {
  readonly spec: ModelSpec;
  signature: Signature;
  /** Most items of a batch that memory held, once a larger one did not fit. */
  maxItems: number | undefined;
  /** The ONNX file, opened. */
  readonly onnx: Graph;

  constructor(spec: ModelSpec, onnx: Graph, signature: Signature) {
    this.spec = spec;
    this.signature = signature;
    this.onnx = onnx;
  }

  /** The file's names of free dimensions, in signature order. */
  get dimensionNames(): { readonly inputs: DimensionNames; readonly outputs: DimensionNames } {
    return readDimensionNames(this.onnx.session, this.signature);
  }

  /** Runs the graph on whole tensors, in signature order. Throws what ONNX Runtime throws. */
  async run(inputs: readonly Tensor[]): Promise<SessionRun> {
    // An input may have any name, and a plain object has a prototype under one.
    const feeds = Object.create(null) as Record<string, OnnxValue>;
    for (const [index, spec] of this.signature.inputs.entries()) {
      const tensor = inputs[index];
      if (tensor === undefined) throw new Error(`input ${spec.name} is missing`);
      feeds[spec.name] = toOrt(tensor);
    }
    const startMs = performance.now();
    const results = await this.onnx.run(feeds, this.#fetches());
    const outputs = this.signature.outputs.map(({ name }) => {
      const output = results[name];
      if (output === undefined) throw new Error(`output ${name} is missing`);
      return fromOrt(output);
    });
    return { outputs, runMs: performance.now() - startMs };
  }

  /** The outputs wanted: undefined for all. */
  #fetches(): Record<string, null> | undefined {
    const { outputs, leftOut } = this.signature;
    return leftOut === undefined ? undefined : Object.fromEntries(outputs.map(({ name }) => [name, null]));
  }

  async release(): Promise<void> {
    await this.onnx.release();
  }
}

/** Opens the weights, changed by the edits, on the lane's device; the signature comes from metadata and overrides. */
export async function openSession(spec: ModelSpec, lane: LaneData, edits: readonly Edit[] = []): Promise<LaneSession> {
  return releaseOnFailure(await openGraph(spec.weights, ownOptions(spec, 'model'), lane, edits), (graph) => {
    const signature = readSignature(graph.session, spec);
    return new LaneSession(spec, graph, graph.dynamicOperator === undefined ? signature : oneByOne(signature));
  });
}
