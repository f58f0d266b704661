import type { JsonObject } from '../../json.ts';
import type { TritonBatching, TritonConfig, TritonInstances } from './config.ts';

/** What a Triton configuration says in the words of `model.json`, apart from inputs and outputs. */
export interface TritonSettings {
  readonly value: JsonObject;
  /** What has no effect here, or another one than with Triton. */
  readonly notes: readonly string[];
}

/** Priorities of the server. */
const LEVELS = 3;

/** Parameters of Triton's ONNX backend that have no counterpart here. */
const UNKNOWN_PARAMETERS = [
  'arena_extend_strategy',
  'cudnn_conv_algo_search',
  'do_copy_in_default_stream',
  'gpu_mem_limit',
  'memory.enable_memory_arena_shrinkage',
  'share_session_between_instances',
];
const DEVICE_ALLOCATOR = 'session.use_device_allocator_for_initializers';

export function settingsOf(config: TritonConfig): TritonSettings {
  const { batching, samples, versions, maxBatchSize, parameters } = config;
  const notes = [...config.ignored];
  for (const name of UNKNOWN_PARAMETERS) if (Object.hasOwn(parameters, name)) notes.push(`parameters ${name}`);
  const buckets = [...(batching?.preferredSizes ?? []), ...samples.map(({ batchSize }) => batchSize)];
  const sizes = [...new Set(buckets)].filter((size) => size >= 1 && size <= maxBatchSize).sort((a, b) => a - b);
  const queue = batching === undefined ? {} : queueOf(batching, config, notes);
  const session = sessionOf(config);
  const value = {
    ...(config.weights === '' ? {} : { files: { model: config.weights } }),
    ...(versions === undefined ? {} : { versions }),
    batching: {
      ...(maxBatchSize > 0 ? { maxItems: maxBatchSize } : {}),
      ...(batching === undefined ? {} : { maxDelayMs: batching.maxDelayMicroseconds / 1000 }),
      ...(sizes.length === 0 ? {} : { buckets: sizes }),
    },
    queue,
    ...placesOf(config.instances),
    ...(Object.keys(session).length === 0 ? {} : { session }),
    ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
  };
  return { value, notes };
}

function queueOf(batching: TritonBatching, config: TritonConfig, notes: string[]): JsonObject {
  const { timeoutMicroseconds, timeoutAction, maxQueueSize, priorityLevels, defaultPriority } = batching;
  if (priorityLevels > LEVELS) notes.push(`dynamic_batching.priority_levels (above ${LEVELS} all are ${LEVELS})`);
  if (defaultPriority > 0 && defaultPriority !== 2) notes.push('dynamic_batching.default_priority_level (it is 2)');
  const isLimited = timeoutMicroseconds > 0 && timeoutAction === 'REJECT';
  if (timeoutAction === 'DELAY') notes.push('default_queue_policy.timeout_action DELAY');
  if (isLimited)
    notes.push('default_queue_policy.default_timeout_microseconds (limits the run, too, not the wait alone)');
  const running = Math.max(1, config.maxBatchSize) * Math.max(1, countOf(config.instances));
  return {
    ...(isLimited ? { timeoutMs: Math.max(1, timeoutMicroseconds / 1000) } : {}),
    // Triton counts those that wait; here those that run have permits, too.
    ...(maxQueueSize > 0 ? { maxItems: maxQueueSize + running } : {}),
  };
}

/** Instances are lanes. A group that says no number leaves it to the server. */
function placesOf(groups: readonly TritonInstances[]): JsonObject {
  const devices = groups.flatMap(({ kind, gpus }) => {
    if (kind === 'KIND_CPU') return ['cpu'];
    if (kind === 'KIND_GPU') return gpus.length === 0 ? ['cuda'] : gpus.map((gpu) => `cuda:${gpu}`);
    return [];
  });
  const isFree = groups.some(({ kind }) => kind === 'KIND_AUTO' || kind === 'KIND_MODEL');
  const lanes = countOf(groups);
  return {
    ...(devices.length === 0 || isFree ? {} : { devices: [...new Set(devices)] }),
    ...(lanes === 0 ? {} : { lanes }),
  };
}

/** Instances of all groups; 0 where one does not say how many, or of how many GPUs. */
function countOf(groups: readonly TritonInstances[]): number {
  let total = 0;
  for (const { kind, count, gpus } of groups) {
    if (count === undefined || (kind !== 'KIND_CPU' && gpus.length === 0)) return 0;
    total += count * (kind === 'KIND_CPU' ? 1 : gpus.length);
  }
  return total;
}

function sessionOf({ graphLevel, parameters }: TritonConfig): JsonObject {
  const levels: Readonly<Record<number, string>> = { [-1]: 'basic', 1: 'extended', 2: 'disabled' };
  const level = levels[graphLevel];
  const count = (name: string): number => Number(parameters[name] ?? 0);
  const flag = (name: string): boolean | undefined =>
    parameters[name] === undefined ? undefined : /^(1|true)$/i.test(parameters[name]);
  const [arena, pattern] = [flag('enable_mem_arena'), flag('enable_mem_pattern')];
  const allocator = parameters[DEVICE_ALLOCATOR];
  return {
    ...(level === undefined ? {} : { graphOptimizationLevel: level }),
    ...(count('intra_op_thread_count') === 0 ? {} : { intraOpNumThreads: count('intra_op_thread_count') }),
    ...(count('inter_op_thread_count') === 0 ? {} : { interOpNumThreads: count('inter_op_thread_count') }),
    ...(parameters['execution_mode'] === '1' ? { executionMode: 'parallel' } : {}),
    ...(arena === undefined ? {} : { enableCpuMemArena: arena }),
    ...(pattern === undefined ? {} : { enableMemPattern: pattern }),
    ...(allocator === undefined ? {} : { extra: { [DEVICE_ALLOCATOR]: allocator === '1' } }),
  };
}
