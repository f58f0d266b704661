import { lackOf } from '../failure.ts';
import type { Graph } from '../../onnx/graph.ts';
import { choosePorts, feed, floatsOf, joined, parted, portsOf, type Port } from './port.ts';
import type { Encoded } from './prompt-encoder.ts';
import { messageOf } from '../../errors.ts';

/** One row of a unet run. */
export interface UnetRow {
  /** channels x height x width */
  readonly shape: readonly [number, number, number];
  readonly sample: Float32Array;
  readonly timestep: number;
  readonly hidden: Encoded;
  /** Strength of the guidance, for models that take it as an input (LCM). */
  readonly guidance: number;
}

/** The unet of a pipeline. Each row has its own timestep, as far as the graph allows. */
export class Unet {
  readonly graph: Graph;
  /** Height and width of the latents where the graph fixes them, else -1. */
  readonly latentSize: readonly [height: number, width: number];
  /** True when the graph takes the guidance itself, so that no second row is needed. */
  readonly knowsGuidance: boolean;
  readonly #sample: Port;
  readonly #timestep: Port;
  readonly #hidden: Port;
  readonly #guidance: Port | undefined;
  readonly #rowsAtMost: number;
  /** Whether rows may be at different timesteps. Metadata is sometimes wrong about it; then the first run that fails tells. */
  #mixesTimesteps: boolean;

  constructor(graph: Graph) {
    this.graph = graph;
    const ports = portsOf(graph.session);
    const names = ['sample', 'timestep', 'encoder_hidden_states'];
    const [sample, timestep, hidden] = choosePorts('unet', ports, { names, optional: ['timestep_cond'] });
    if (sample === undefined || timestep === undefined || hidden === undefined) throw new Error('unet: no inputs');
    this.#sample = sample;
    this.#timestep = timestep;
    this.#hidden = hidden;
    this.#guidance = ports.get('timestep_cond');
    this.knowsGuidance = this.#guidance !== undefined;
    const [rows = -1, , height = -1, width = -1] = sample.shape;
    if (rows !== -1 && rows !== 1) throw new Error(`unet: it takes ${rows} rows a run; 1 or any number are supported`);
    this.#rowsAtMost = rows === 1 ? 1 : Infinity;
    this.latentSize = [height, width];
    this.#mixesTimesteps = timestep.shape[0] === -1;
  }

  /** The graph's output for each row, in order. Throws what ONNX Runtime throws. */
  async predict(rows: readonly UnetRow[]): Promise<Float32Array[]> {
    const mixed = this.#mixesTimesteps;
    try {
      return await this.#inGroups(rows, mixed);
    } catch (error) {
      const isMixture = new Set(rows.map(({ timestep }) => timestep)).size > 1;
      if (!mixed || !isMixture || lackOf(messageOf(error)) !== undefined) throw error;
      const outputs = await this.#inGroups(rows, false);
      this.#mixesTimesteps = false;
      return outputs;
    }
  }

  /** One run for the rows of each size, and of each timestep unless those may be mixed. */
  async #inGroups(rows: readonly UnetRow[], mixed: boolean): Promise<Float32Array[]> {
    const groups = new Map<string, number[]>();
    for (const [index, { shape, timestep, hidden }] of rows.entries()) {
      const alone = this.#rowsAtMost === 1 ? index : '';
      const key = [...shape, ...hidden.shape, mixed ? '' : timestep, alone].join();
      groups.set(key, [...(groups.get(key) ?? []), index]);
    }
    const outputs: Float32Array[] = [];
    for (const indices of groups.values()) {
      const results = await this.#run(
        indices.flatMap((index) => rows[index] ?? []),
        mixed,
      );
      for (const [at, index] of indices.entries()) outputs[index] = results[at] ?? new Float32Array(0);
    }
    return outputs;
  }

  async #run(rows: readonly UnetRow[], mixed: boolean): Promise<Float32Array[]> {
    const [first] = rows;
    if (first === undefined) return [];
    const timesteps = mixed ? rows.map(({ timestep }) => timestep) : [first.timestep];
    const guidance = this.#guidance;
    const results = await this.graph.run({
      [this.#sample.name]: feed(this.#sample, [rows.length, ...first.shape], joined(rows.map(({ sample }) => sample))),
      [this.#timestep.name]: feed(
        this.#timestep,
        this.#timestep.shape.length === 0 ? [] : [timesteps.length],
        timesteps,
      ),
      [this.#hidden.name]: feed(
        this.#hidden,
        [rows.length, ...first.hidden.shape],
        joined(rows.map(({ hidden }) => hidden.values)),
      ),
      ...(guidance === undefined ? {} : { [guidance.name]: guidanceInput(guidance, rows) }),
    });
    const [name = ''] = this.graph.session.outputNames;
    return parted(floatsOf(results[name]).values, rows.length);
  }
}

function guidanceInput(port: Port, rows: readonly UnetRow[]): ReturnType<typeof feed> {
  const width = port.shape[1] === undefined || port.shape[1] === -1 ? 256 : port.shape[1];
  const values = joined(rows.map(({ guidance }) => guidanceEmbedding(guidance - 1, width)));
  return feed(port, [rows.length, width], values);
}

/** Sines, then cosines, of 1000 * weight at frequencies from 1 down to 1/10000 (diffusers' LatentConsistencyModelPipeline). */
export function guidanceEmbedding(weight: number, width: number): Float32Array {
  const half = Math.floor(width / 2);
  const values = new Float32Array(width);
  for (let at = 0; at < half; at += 1) {
    const angle = weight * 1000 * Math.exp((-Math.log(10_000) * at) / (half - 1));
    values[at] = Math.sin(angle);
    values[half + at] = Math.cos(angle);
  }
  return values;
}
