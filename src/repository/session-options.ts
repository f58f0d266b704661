import { z } from 'zod';
import { isObject } from '../json.ts';

/**
 * ONNX Runtime's configuration entries that a model may set, by what they change (onnxruntime_session_options_config_keys.h). All others are
 * refused, whoever sets them: some write files to any path (`session.optimized_model_filepath`, `session.enable_profiling`,
 * `session.collect_node_memory_stats_to_file`, `ep.context_*`), read files (`session.node_partition_config_file`,
 * `session.model_external_initializers_file_folder_path`), load weights of another format (`session.load_model_format`,
 * `session.use_ort_model_bytes_*`) or have an option of their own here.
 */
export const ALLOWED_ENTRIES: ReadonlySet<string> = new Set([
  // How the graph is optimised.
  'optimization.disable_specified_optimizers',
  'optimization.enable_cast_chain_elimination',
  'optimization.enable_gelu_approximation',
  'session.disable_aot_function_inlining',
  'session.graph_optimizations_loop_level',
  // How quantised weights are multiplied.
  'mlas.use_lut_gemm',
  'session.disable_double_qdq_remover',
  'session.disable_qdq_constant_folding',
  'session.disable_quant_qdq',
  'session.enable_dq_matmulnbits_fusion',
  'session.enable_quant_qdq_cleanup',
  'session.qdq_matmulnbits_accuracy_level',
  'session.qdq_matmulnbits_block_size',
  'session.qdqisint8allowed',
  'session.x64quantprecision',
  // Exactness.
  'mlas.disable_kleidiai',
  'mlas.enable_gemm_fastmath_arm64_bfloat16',
  'session.set_denormal_as_zero',
  'session.use_deterministic_compute',
  // Memory.
  'session.disable_prepacking',
  'session.use_device_allocator_for_initializers',
  // How threads wait for work.
  'session.dynamic_block_base',
  'session.force_spinning_stop',
  'session.inter_op.allow_spinning',
  'session.intra_op.allow_spinning',
  // What is refused at load.
  'session.allow_released_opsets_only',
  'session.disable_cpu_ep_fallback',
  'session.strict_shape_type_inference',
]);

/** More threads than this are a mistake; the same limit as LANE_THREADS. */
const threads = z.number().int().min(1).max(256);

/** `session` of model.json: options that are passed to ONNX Runtime's session. */
export const sessionSchema = z.strictObject({
  graphOptimizationLevel: z.enum(['disabled', 'basic', 'extended', 'layout', 'all']).optional(),
  intraOpNumThreads: threads.optional(),
  interOpNumThreads: threads.optional(),
  enableCpuMemArena: z.boolean().optional(),
  enableMemPattern: z.boolean().optional(),
  executionMode: z.enum(['sequential', 'parallel']).optional(),
  freeDimensionOverrides: z.record(z.string(), z.number().int()).optional(),
  extra: z
    .record(z.string(), z.unknown())
    .transform((entries, context) => {
      const flat = flatten(entries);
      for (const [name, value] of Object.entries(flat)) {
        const problem = problemOf(name, value);
        if (problem !== undefined) context.addIssue({ code: 'custom', message: problem, path: [name] });
      }
      return Object.fromEntries(Object.entries(flat).map(([name, value]) => [name, textOf(value)]));
    })
    .optional(),
});

function problemOf(name: string, value: unknown): string | undefined {
  if (!ALLOWED_ENTRIES.has(name))
    return `this entry may not be set; those that may: ${[...ALLOWED_ENTRIES].sort().join(', ')}`;
  return ['string', 'number', 'boolean'].includes(typeof value) ? undefined : 'expected text, a number, true or false';
}

/** Entries by their dotted names: a nested object stands for names with its key as prefix, as ONNX Runtime's binding reads it. */
function flatten(entries: Readonly<Record<string, unknown>>, prefix = ''): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(entries).flatMap(([name, value]) =>
      isObject(value) ? Object.entries(flatten(value, `${prefix}${name}.`)) : [[`${prefix}${name}`, value] as const],
    ),
  );
}

/** ONNX Runtime takes texts, with 0 and 1 for false and true. */
function textOf(value: unknown): string {
  return typeof value === 'boolean' ? (value ? '1' : '0') : String(value);
}
