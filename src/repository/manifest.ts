import { z } from 'zod';
import { FIXED_DATATYPES, type FixedDatatype } from '../tensors/tensor.ts';
import { DTYPE_CHOICES } from '../dtype.ts';
import { sessionSchema } from './session-options.ts';

/**
 * `model.json`: all settings of a model. Each has a default, so a folder with only `model.onnx` is a model.
 * `MODEL_OPTIONS` overrides any field of a model. docs/models.md describes the fields; a test compares the two.
 */

const count = z.number().int().min(1);
const milliseconds = z.number().min(0).max(86_400_000);
const dtype = z.enum(DTYPE_CHOICES);
const dynamicQuantisation = z.enum(['alone', 'together']);
const accuracyLevel = z.number().int().min(0).max(4);
const datatype = z.enum(['BYTES', ...(Object.keys(FIXED_DATATYPES) as FixedDatatype[])]);

const tensorOverride = z.strictObject({
  name: z.string(),
  datatype: datatype.optional(),
  /** Free dimensions are -1. */
  shape: z.array(z.number().int().min(-1)).optional(),
  /** The shape that clients of the tensor API send or get, where it is not the graph's; as many elements. */
  clientShape: z.array(z.number().int().min(-1)).optional(),
  /** The axis along which requests are stacked; null for a tensor that all requests of a run share. */
  batchAxis: z.number().int().min(0).nullable().optional(),
});

const labels = z.union([z.array(z.string()), z.string()]);

const example = z.union([
  z.strictObject({ data: z.unknown(), parameters: z.record(z.string(), z.unknown()).optional() }),
  /** A file beside model.json, sent as a raw body. */
  z.strictObject({ file: z.string(), contentType: z.string() }),
]);

export const manifestSchema = z.strictObject({
  description: z.string().optional(),
  licence: z.string().optional(),
  /** A built-in task, or a path (beginning with ./) of a module beside model.json: docs/tasks.md. */
  task: z.string().default('tensors'),
  /** `model` is the weights file; other names are assets of the task. All relative to the version's folder, or to the model's. */
  files: z.record(z.string(), z.string()).default({}),
  /** Which of several weight files to take, by the precision in its name: one for all graphs, or by role. Default: DTYPE. */
  dtype: z.union([dtype, z.record(z.string(), dtype)]).optional(),
  /** Precision of multiplications with quantised weights (MatMulNBits), for all graphs or by role; default: as exported. */
  accuracyLevel: z.union([accuracyLevel, z.record(z.string(), accuracyLevel)]).optional(),
  /** Whether rows of dynamically quantised graphs share runs, for all graphs or by role. Default: `alone`, a run has one row. */
  dynamicQuantisation: z.union([dynamicQuantisation, z.record(z.string(), dynamicQuantisation)]).optional(),
  /** `exampleShape`: sizes of a usual row, 1 along the batch axis; the trial makes up rows of them first, and the warm-up runs one. */
  inputs: z
    .array(tensorOverride.extend({ exampleShape: z.array(z.number().int().min(0).max(1_000_000)).optional() }))
    .default([]),
  /** `labels`: class names of this output, where there are others for other outputs. */
  outputs: z.array(tensorOverride.extend({ labels: labels.optional() })).default([]),
  batching: z
    .strictObject({
      /** Most items in one run; 1 switches batching off. Default: 32, or what suits the task and the device. */
      maxItems: count.max(4096).optional(),
      /** Most cost in one run, in the task's unit (pixels, ...); an item above it runs alone. */
      maxCost: z.number().positive().optional(),
      /** How long the first item of a batch may wait for company while a lane is free; 0: never. */
      maxDelayMs: milliseconds.default(0),
      /** Batch sizes run once before ready; default: powers of two up to maxItems. */
      buckets: z.array(count).optional(),
    })
    .prefault({}),
  queue: z
    .strictObject({
      /** Most items waiting and running together; further ones get 429. Default: 256, or what suits the task, or four full runs of each lane. */
      maxItems: count.max(1_000_000).optional(),
      /** Part of the lane time next to other models of the same lanes, where there is too little for all. */
      weight: z.number().positive().max(1000).default(1),
      /** Time limit of a request of this model; default: REQUEST_TIMEOUT_MS. */
      timeoutMs: milliseconds.min(1).optional(),
    })
    .prefault({}),
  /** Devices this model may use (`cpu`, `cuda`, `cuda:1`); default: all lanes. */
  devices: z.array(z.string().regex(/^(cpu|cuda(:\d+)?)$/)).optional(),
  /** Load the model on this many lanes only; default: all. */
  lanes: count.optional(),
  /** Passed to ONNX Runtime's session. */
  session: sessionSchema.default({}),
  /** Class names in output order, or the name of a JSON file (array of strings) or text file (one a line). */
  labels: labels.optional(),
  /** Metadata for clients: in Triton's model configuration. */
  parameters: z.record(z.string(), z.string()).optional(),
  /** A request of the native API: the trial and the warm-up use it. */
  example: example.optional(),
  /** Options of the task, which checks them. */
  options: z.record(z.string(), z.unknown()).default({}),
  /** `lazy`: it is loaded when a request comes. Default: MODEL_LOADING. */
  loading: z.enum(['eager', 'lazy']).optional(),
  /** How long a lazy model stays loaded without a request; 0: until its memory is needed. Default: MODEL_KEEP_LOADED_MS. */
  keepLoadedMs: milliseconds.optional(),
  versions: z
    .union([z.literal('all'), z.strictObject({ latest: count }), z.strictObject({ specific: z.array(count).min(1) })])
    .default({ latest: 1 }),
  /** A longer run fails its requests; after as long again, its thread is given up. */
  runLimitMs: milliseconds.min(10).default(60_000),
  /** Tensors whose run is predicted to need more memory are refused. Default: a quarter of the machine's or the container's memory, shared by the model's lanes. */
  runMemoryBytes: count.optional(),
  warmup: z.boolean().default(true),
  /** Demos and tests only. */
  simulate: z
    .strictObject({
      /** Added to each run, as a sleep of the lane. */
      runMs: milliseconds.optional(),
      /** The lane's thread ends itself at this run (1 is the first after warm-up). */
      dieAtRun: count.optional(),
    })
    .default({}),
});

export type Manifest = z.infer<typeof manifestSchema>;
