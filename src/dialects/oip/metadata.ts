import { z } from 'zod';
import { once } from '../../once.ts';
import { count, whole } from '../shared/answer-schema.ts';
import { text } from '../shared/body-schema.ts';
import type { ModelDescription, ModelStatistics, StatisticDuration } from '../../model.ts';
import type { Datatype, Signature, TensorSpec } from '../../tensors/tensor.ts';

/** Extensions of the protocol that this server implements; clients look here before they use one. */
const EXTENSIONS = [
  'classification',
  'model_repository',
  'model_repository(unload_dependents)',
  'schedule_policy',
  'model_configuration',
  'binary_tensor_data',
  'parameters',
  'statistics',
] as const;

/** Triton's name for ONNX models, the only one its clients know. */
const PLATFORM = 'onnxruntime_onnx';
const BACKEND = 'onnxruntime';

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: Datatype;
  /** Free dimensions, the batch among them, are -1. */
  readonly shape: readonly number[];
}
export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

export const SERVER_ANSWER = once(() =>
  z.object({ name: text, version: text, extensions: z.array(text) }).meta({ id: 'ServerMetadata' }),
);

/** Answer to `GET /v2`; `version` is the server's own. */
export function serverMetadata(version: string): { name: string; version: string; extensions: readonly string[] } {
  return { name: 'carpool', version, extensions: EXTENSIONS };
}

const shape = z.array(whole);

export const MODEL_ANSWER = once(() => {
  const tensor = z.object({ name: text, datatype: text, shape });
  return z
    .object({ name: text, versions: z.array(text), platform: text, inputs: z.array(tensor), outputs: z.array(tensor) })
    .meta({ id: 'ModelMetadata' });
});

/** Answer to `GET /v2/models/M[/versions/V]` (protocol: model metadata). */
export function modelMetadata({ name, versions, signature }: ModelDescription): ModelMetadata {
  const describe = (spec: TensorSpec): TensorMetadata => ({
    name: spec.name,
    datatype: spec.datatype,
    shape: fullShape(spec, signature),
  });
  return {
    name,
    versions,
    platform: PLATFORM,
    inputs: signature.inputs.map(describe),
    outputs: signature.outputs.map(describe),
  };
}

/**
 * The graph's own properties: model.json may demand more of requests, but that is no property of the graph. A shape that is meant for clients takes
 * their place.
 */
function fullShape(
  { shape, fileShape = shape, clientShape = fileShape, batchAxis }: TensorSpec,
  { batchable }: Signature,
): readonly number[] {
  return batchable && batchAxis !== null ? clientShape.with(batchAxis, -1) : clientShape;
}

export interface TensorConfig {
  readonly name: string;
  readonly data_type: string;
  readonly dims: readonly number[];
  /** The graph's dimensions, where they are others. */
  readonly reshape?: { readonly shape: readonly number[] };
}
type VersionPolicy =
  | { readonly all: object }
  | { readonly latest: { readonly num_versions: number } }
  | { readonly specific: { readonly versions: readonly number[] } };

export interface ModelConfig {
  readonly name: string;
  readonly platform: string;
  readonly backend: string;
  readonly version_policy: VersionPolicy;
  readonly max_batch_size: number;
  readonly input: readonly TensorConfig[];
  readonly output: readonly TensorConfig[];
  readonly instance_group: readonly { name: string; kind: string; count: number; gpus?: readonly number[] }[];
  readonly dynamic_batching?: { readonly max_queue_delay_microseconds: number };
  readonly parameters?: Readonly<Record<string, { readonly string_value: string }>>;
}

export const CONFIG_ANSWER = once(() => {
  const tensor = z.object({ name: text, data_type: text, dims: shape, reshape: z.object({ shape }).optional() });
  const policy = z.union([
    z.object({ all: z.object({}) }),
    z.object({ latest: z.object({ num_versions: count }) }),
    z.object({ specific: z.object({ versions: z.array(count) }) }),
  ]);
  const group = z.object({ name: text, kind: text, count, gpus: z.array(count).optional() });
  return z
    .object({
      ...{ name: text, platform: text, backend: text, version_policy: policy, max_batch_size: count },
      ...{ input: z.array(tensor), output: z.array(tensor), instance_group: z.array(group) },
      dynamic_batching: z.object({ max_queue_delay_microseconds: count }).optional(),
      parameters: z.record(z.string(), z.object({ string_value: text })).optional(),
    })
    .meta({ id: 'ModelConfig' });
});

/**
 * Answer to `GET /v2/models/M/config` (extension model_configuration), with the fields clients read. A `max_batch_size` above
 * 0 means that every tensor has one more dimension than `dims`, in front. For a model of which that is not true the answer is 0 and the full dimensions,
 * even if it is batched here.
 */
export function modelConfig(model: ModelDescription): ModelConfig {
  const { name, signature, maxItems, maxDelayMs, devices, parameters } = model;
  const tensors = [...signature.inputs, ...signature.outputs];
  const hasBatchFirst = signature.batchable && tensors.every(({ batchAxis }) => batchAxis === 0);
  const rows = hasBatchFirst ? 1 : 0;
  const describe = (spec: TensorSpec): TensorConfig => ({
    name: spec.name,
    data_type: spec.datatype === 'BYTES' ? 'TYPE_STRING' : `TYPE_${spec.datatype}`,
    dims: fullShape(spec, signature).slice(rows),
    ...(hasOtherShape(spec) && { reshape: { shape: spec.shape.slice(rows) } }),
  });
  return {
    name,
    platform: PLATFORM,
    backend: BACKEND,
    version_policy: versionPolicyOf(model),
    max_batch_size: hasBatchFirst ? maxItems : 0,
    input: signature.inputs.map(describe),
    output: signature.outputs.map(describe),
    instance_group: instanceGroups(name, devices),
    ...(hasBatchFirst && { dynamic_batching: { max_queue_delay_microseconds: Math.round(maxDelayMs * 1000) } }),
    ...(parameters && {
      parameters: Object.fromEntries(Object.entries(parameters).map(([key, text]) => [key, { string_value: text }])),
    }),
  };
}

function versionPolicyOf({ versionPolicy: policy }: ModelDescription): VersionPolicy {
  if (policy === 'all') return { all: {} };
  return 'latest' in policy ? { latest: { num_versions: policy.latest } } : { specific: { versions: policy.specific } };
}

function hasOtherShape({ shape, clientShape = shape }: TensorSpec): boolean {
  return clientShape.length !== shape.length || clientShape.some((size, axis) => size !== shape[axis]);
}

function instanceGroups(model: string, devices: readonly string[]): ModelConfig['instance_group'] {
  const counts = new Map<string, number>();
  for (const device of devices) counts.set(device, (counts.get(device) ?? 0) + 1);
  return Array.from(counts, ([device, count], index) => {
    const [kind, id = '0'] = device.split(':');
    const name = `${model}_${index}`;
    return kind === 'cuda' ? { name, kind: 'KIND_GPU', count, gpus: [Number(id)] } : { name, kind: 'KIND_CPU', count };
  });
}

const NOTHING: StatisticDuration = { count: 0, ns: 0 };

export const STATISTICS_ANSWER = once(() => {
  const time = z.object({ count, ns: count }).meta({ id: 'StatisticDuration' });
  const compute = { compute_input: time, compute_infer: time, compute_output: time };
  const all = { success: time, fail: time, queue: time, ...compute, cache_hit: time, cache_miss: time };
  const model = z.object({
    ...{ name: text, version: text, last_inference: count, inference_count: count, execution_count: count },
    ...{ inference_stats: z.object(all), batch_stats: z.array(z.object({ batch_size: count, ...compute })) },
  });
  return z.object({ model_stats: z.array(model) }).meta({ id: 'ModelStatistics' });
});

/**
 * Answer to `GET /v2/models[/M[/versions/V]]/stats` (extension statistics): one entry per model version. Without a cache,
 * its two counters stay 0.
 */
export function modelStatistics(
  entries: readonly {
    readonly model: Pick<ModelDescription, 'name' | 'version'>;
    readonly statistics: ModelStatistics;
  }[],
): { readonly model_stats: readonly Readonly<Record<string, unknown>>[] } {
  return { model_stats: entries.map(({ model, statistics }) => statisticsOf(model, statistics)) };
}

function statisticsOf(
  { name, version }: Pick<ModelDescription, 'name' | 'version'>,
  statistics: ModelStatistics,
): Readonly<Record<string, unknown>> {
  const batches = [...statistics.batches].sort(([first], [second]) => first - second);
  return {
    name,
    version,
    last_inference: Math.round(statistics.lastInferenceMs),
    inference_count: statistics.inferenceCount,
    execution_count: statistics.executionCount,
    inference_stats: {
      success: duration(statistics.success),
      fail: duration(statistics.fail),
      queue: duration(statistics.queue),
      ...computeDurations(statistics),
      cache_hit: NOTHING,
      cache_miss: NOTHING,
    },
    batch_stats: batches.map(([size, batch]) => ({ batch_size: size, ...computeDurations(batch) })),
  };
}

function computeDurations(from: Pick<ModelStatistics, 'computeInput' | 'computeInfer' | 'computeOutput'>): object {
  return {
    compute_input: duration(from.computeInput),
    compute_infer: duration(from.computeInfer),
    compute_output: duration(from.computeOutput),
  };
}

/** Clients read nanoseconds as unsigned integers. */
function duration({ count, ns }: StatisticDuration): StatisticDuration {
  return { count, ns: Math.max(0, Math.round(ns)) };
}

const STATES = ['UNKNOWN', 'READY', 'UNAVAILABLE', 'LOADING', 'UNLOADING'] as const;
export type RepositoryState = (typeof STATES)[number];

/** One model version of the repository, loaded or not. */
export interface RepositoryEntry {
  readonly name: string;
  readonly version?: string;
  readonly state?: RepositoryState;
  /** Why it is in this state. */
  readonly reason?: string;
}

export const INDEX_ANSWER = once(() => {
  const rest = { version: text, state: z.enum(STATES), reason: text };
  return z.array(z.object({ name: text, ...z.object(rest).partial().shape }).meta({ id: 'RepositoryEntry' }));
});

/** Answer to `POST /v2/repository/index` (extension model_repository); `readyOnly` is the request's `ready`. */
export function repositoryIndex(entries: readonly RepositoryEntry[], readyOnly = false): RepositoryEntry[] {
  return entries
    .filter(({ state }) => !readyOnly || state === 'READY')
    .map(({ name, version, state, reason }) => ({
      name,
      ...(version !== undefined && { version }),
      ...(state !== undefined && { state }),
      ...(reason !== undefined && { reason }),
    }));
}
