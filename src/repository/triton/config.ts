import type { Datatype } from '../../tensors/tensor.ts';
import { MessageReader, type Problems } from './message-reader.ts';
import type { TextField } from './text-format.ts';

/**
 * Triton's ModelConfig (model_config.proto in github.com/triton-inference-server/common), as far as it is read here. Absent fields are undefined, or
 * have the default that protobuf gives them.
 */

const DATATYPES = {
  ...{ TYPE_BOOL: 'BOOL', TYPE_STRING: 'BYTES', TYPE_FP16: 'FP16', TYPE_BF16: 'BF16', TYPE_FP32: 'FP32' },
  ...{ TYPE_FP64: 'FP64', TYPE_INT8: 'INT8', TYPE_INT16: 'INT16', TYPE_INT32: 'INT32', TYPE_INT64: 'INT64' },
  ...{ TYPE_UINT8: 'UINT8', TYPE_UINT16: 'UINT16', TYPE_UINT32: 'UINT32', TYPE_UINT64: 'UINT64' },
} as const satisfies Record<string, Datatype>;
const DATATYPE_NAMES = Object.keys(DATATYPES) as (keyof typeof DATATYPES)[];

/** An input or output as clients see it: `dims` without the batch. */
export interface TritonTensor {
  readonly name: string;
  readonly datatype: Datatype | undefined;
  readonly dims: readonly number[];
  /** The dimensions that the graph has in place of `dims`. */
  readonly reshape: readonly number[] | undefined;
  readonly isOptional: boolean;
  readonly labelFile: string | undefined;
}

export interface TritonSample {
  readonly batchSize: number;
  readonly inputs: readonly {
    readonly name: string;
    readonly datatype: Datatype | undefined;
    readonly dims: readonly number[];
    /** In the folder `warmup`; absent: zeros or random numbers. */
    readonly file: string | undefined;
  }[];
}

export interface TritonInstances {
  readonly kind: 'KIND_AUTO' | 'KIND_GPU' | 'KIND_CPU' | 'KIND_MODEL';
  /** Of each GPU of `gpus`, or in all. */
  readonly count: number | undefined;
  readonly gpus: readonly number[];
}

export interface TritonBatching {
  readonly preferredSizes: readonly number[];
  readonly maxDelayMicroseconds: number;
  readonly priorityLevels: number;
  readonly defaultPriority: number;
  readonly timeoutMicroseconds: number;
  /** What becomes of a request whose time to wait is up. */
  readonly timeoutAction: 'REJECT' | 'DELAY';
  readonly maxQueueSize: number;
}

export type TritonVersions = 'all' | { readonly latest: number } | { readonly specific: readonly number[] };

export interface TritonConfig {
  readonly name: string;
  readonly platform: string;
  readonly backend: string;
  readonly weights: string;
  readonly maxBatchSize: number;
  readonly inputs: readonly TritonTensor[];
  readonly outputs: readonly TritonTensor[];
  readonly versions: TritonVersions | undefined;
  readonly batching: TritonBatching | undefined;
  /** Requests to run before the model is ready. */
  readonly samples: readonly TritonSample[];
  readonly instances: readonly TritonInstances[];
  /** How the ONNX backend reads it: -1 basic, 1 extended, 2 none, else all. */
  readonly graphLevel: number;
  readonly parameters: Readonly<Record<string, string>>;
  /** Names of fields that are there, and without which the model's answers would be others. */
  readonly refused: readonly string[];
  /** Names of fields that are there and have no effect here. */
  readonly ignored: readonly string[];
}

/** Fields without which a model would give other answers than with Triton, or none. */
const REFUSED = ['ensemble_scheduling', 'sequence_batching', 'batch_input', 'batch_output', 'model_operations'];
/** Fields that change how a model runs there, and not what it answers. */
const IGNORED = ['runtime', 'cc_model_filenames', 'metric_tags', 'model_metrics', 'model_repository_agents'];

/** Reads a configuration. What is wrong with it is added to `problems`, and its fields read as if absent. */
export function readTritonConfig(fields: readonly TextField[], problems: Problems): TritonConfig {
  const message = new MessageReader(fields, problems);
  const ignored = [...message.given(IGNORED)];
  const config = {
    name: message.text('name') ?? '',
    platform: message.text('platform') ?? '',
    backend: message.text('backend') ?? '',
    weights: message.text('default_model_filename') ?? '',
    maxBatchSize: message.whole('max_batch_size') ?? 0,
    inputs: message.messages('input').map((input) => readInput(input, ignored)),
    outputs: message.messages('output').map(readOutput),
    versions: readVersions(message.message('version_policy')),
    batching: readBatching(message.message('dynamic_batching'), ignored),
    samples: message.messages('model_warmup').map(readSample),
    instances: message.messages('instance_group').map((group) => readInstances(group, ignored)),
    graphLevel: readOptimization(message.message('optimization'), ignored),
    parameters: readParameters(message),
  };
  const refused = [...message.given(REFUSED)];
  if (readFlag(message.message('model_transaction_policy'), 'decoupled')) refused.push('model_transaction_policy');
  if (readFlag(message.message('response_cache'), 'enable')) ignored.push('response_cache');
  message.finish();
  return { ...config, refused, ignored: [...new Set(ignored)] };
}

function readInput(message: MessageReader, ignored: string[]): TritonTensor {
  const input = { ...readTensor(message), isOptional: message.flag('optional') ?? false, labelFile: undefined };
  message.choice('format', ['FORMAT_NONE', 'FORMAT_NHWC', 'FORMAT_NCHW']);
  if (message.flag('allow_ragged_batch') === true) ignored.push('input.allow_ragged_batch');
  message.finish();
  return input;
}

function readOutput(message: MessageReader): TritonTensor {
  const output = { ...readTensor(message), isOptional: false, labelFile: message.text('label_filename') || undefined };
  message.finish();
  return output;
}

function readTensor(message: MessageReader): Pick<TritonTensor, 'name' | 'datatype' | 'dims' | 'reshape'> {
  const datatype = message.choice('data_type', DATATYPE_NAMES);
  const reshape = message.message('reshape');
  const tensor = {
    name: message.text('name') ?? '',
    datatype: datatype === undefined ? undefined : DATATYPES[datatype],
    dims: message.wholes('dims', -1),
    reshape: reshape?.wholes('shape', -1),
  };
  // Both are for TensorRT alone.
  message.given(['is_shape_tensor', 'is_non_linear_format_io']);
  reshape?.finish();
  return tensor;
}

function readVersions(message: MessageReader | undefined): TritonVersions | undefined {
  if (message === undefined) return undefined;
  const latest = message.message('latest');
  const all = message.message('all');
  const specific = message.message('specific');
  const count = latest?.whole('num_versions');
  const numbers = specific?.wholes('versions', 1);
  for (const one of [message, latest, all, specific]) one?.finish();
  if (numbers !== undefined && numbers.length > 0) return { specific: numbers };
  return all === undefined ? { latest: Math.max(1, count ?? 1) } : 'all';
}

function readBatching(message: MessageReader | undefined, ignored: string[]): TritonBatching | undefined {
  if (message === undefined) return undefined;
  const policy = message.message('default_queue_policy');
  const batching = {
    preferredSizes: message.wholes('preferred_batch_size', 1),
    maxDelayMicroseconds: message.whole('max_queue_delay_microseconds') ?? 0,
    priorityLevels: message.whole('priority_levels') ?? 0,
    defaultPriority: message.whole('default_priority_level') ?? 0,
    timeoutMicroseconds: policy?.whole('default_timeout_microseconds') ?? 0,
    timeoutAction: policy?.choice('timeout_action', ['REJECT', 'DELAY']) ?? 'REJECT',
    maxQueueSize: policy?.whole('max_queue_size') ?? 0,
  };
  // A request here may always shorten its time.
  policy?.given(['allow_timeout_override']);
  if (message.flag('preserve_ordering') === true) ignored.push('dynamic_batching.preserve_ordering');
  if (message.has('priority_queue_policy')) ignored.push('dynamic_batching.priority_queue_policy');
  message.finish();
  policy?.finish();
  return batching;
}

function readSample(message: MessageReader): TritonSample {
  const inputs = message.entries('inputs').map(([name, entry]) => {
    const value = entry.message('value');
    const datatype = value?.choice('data_type', DATATYPE_NAMES);
    const dims = value?.wholes('dims', 0) ?? [];
    const file = value?.text('input_data_file');
    value?.given(['zero_data', 'random_data']);
    value?.finish();
    entry.finish();
    return { name, datatype: datatype === undefined ? undefined : DATATYPES[datatype], dims, file };
  });
  const batchSize = message.whole('batch_size') ?? 1;
  message.given(['name', 'count']);
  message.finish();
  return { batchSize, inputs };
}

function readInstances(message: MessageReader, ignored: string[]): TritonInstances {
  const group = {
    kind: message.choice('kind', ['KIND_AUTO', 'KIND_GPU', 'KIND_CPU', 'KIND_MODEL']) ?? ('KIND_AUTO' as const),
    count: message.whole('count', 1),
    gpus: message.wholes('gpus'),
  };
  message.given(['name']);
  for (const field of message.given(['rate_limiter', 'secondary_devices', 'profile', 'passive', 'host_policy']))
    ignored.push(`instance_group.${field}`);
  message.finish();
  return group;
}

/** The level of the graph's optimisation. Of the rest, Triton's ONNX backend reads the accelerators alone. */
function readOptimization(message: MessageReader | undefined, ignored: string[]): number {
  if (message === undefined) return 0;
  const graph = message.message('graph');
  const level = graph?.whole('level', -1) ?? 0;
  graph?.finish();
  const accelerators = message.message('execution_accelerators');
  if (accelerators !== undefined)
    for (const field of ['gpu_execution_accelerator', 'cpu_execution_accelerator'])
      for (const one of accelerators.messages(field))
        ignored.push(`optimization.execution_accelerators ${one.text('name') ?? ''}`.trimEnd());
  accelerators?.finish();
  const others = ['priority', 'cuda', 'input_pinned_memory', 'output_pinned_memory', 'eager_batching'];
  for (const field of message.given([...others, 'gather_kernel_buffer_threshold']))
    ignored.push(`optimization.${field}`);
  message.finish();
  return level;
}

function readFlag(message: MessageReader | undefined, name: string): boolean {
  const flag = message?.flag(name) ?? false;
  message?.finish();
  return flag;
}

function readParameters(message: MessageReader): Record<string, string> {
  const parameters = message.entries('parameters').map(([key, entry]): [string, string] => {
    const value = entry.message('value');
    const text = value?.text('string_value') ?? '';
    value?.finish();
    entry.finish();
    return [key, text];
  });
  return Object.fromEntries(parameters);
}
