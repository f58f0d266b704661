import type { LaneData } from '../../device.ts';
import type { ModelSpec } from '../../model-spec.ts';
import type { GenerationOptions } from '../../tasks/chat/generation.ts';
import { sizeWithExternalData } from '../../onnx/external-data.ts';
import { openGraph, ownOptions, type Graph } from '../../onnx/graph.ts';
import { findOperator } from '../../onnx/operators.ts';
import type { Program } from '../program.ts';
import { releaseOnFailure } from '../../onnx/release-on-failure.ts';
import { LaneSession } from '../../onnx/session.ts';
import { oneByOne } from '../../tensors/tensor.ts';
import { metadataOf, readSignature, type GraphMetadata } from '../../onnx/signature.ts';
import { tryReadOnnxModel } from '../../onnx/structure.ts';
import { endOutputs, type EndOutput } from '../../onnx/surgery/end-outputs.ts';
import { Decoder, LAST_LOGITS, newPart, PREFIX } from './decoder.ts';
import { readLayout } from './layout.ts';
import { GenerationProgram } from './program.ts';

/** One more run costs as much as padding that reads this many times the weights' bytes (measured on a CPU: half to twice that). */
const PASS_WEIGHTS = 2;
/** The accuracy level at which MatMulNBits quantises activations. */
const EIGHT_BITS = 4;
const QUANTISED_MATRICES = new Set(['com.microsoft:MatMulNBits']);
const ADVICE =
  'its weights of few bits are multiplied in float32; "accuracyLevel": 4 in model.json, with activations in 8 bits, is 1.3 to 1.7 times as fast on a CPU, and changes answers (docs/models.md)';
/** Graphs with this operator derive a row's length from the sum of its mask. */
const GROUPED_OPERATOR = new Set(['com.microsoft:GroupQueryAttention']);

/** Opens a decoder-only model for generation. Throws a plain Error saying what is wrong with it. */
export async function openGenerationProgram(spec: ModelSpec, lane: LaneData): Promise<Program> {
  const options = spec.program?.options as GenerationOptions | undefined;
  const file = spec.program?.graphs['model'] ?? spec.weights;
  if (options === undefined) throw new Error('the generation program has no options');
  const { graph, extended, grouped, bytes, inFloats } = await openDecoder(file, { spec, lane, options });
  return releaseOnFailure(graph, () => {
    const layout = readLayout(graph.session, options);
    const found = readSignature(graph.session, spec);
    const alone = graph.dynamicOperator !== undefined;
    const own = alone ? oneByOne(found) : found;
    const signature = { ...own, outputs: own.outputs.filter(({ name }) => !name.startsWith(PREFIX)) };
    const decoder = new Decoder(graph, layout, { extended, grouped });
    const vocabulary = own.outputs.find(({ name }) => name === 'logits')?.shape.at(-1);
    return new GenerationProgram({
      decoder,
      graph: new LaneSession(spec, graph, signature),
      // Rows may have no gaps where the graph takes no positions or looks back by places instead of positions, nor where a row must get
      // exactly what the file gives it alone.
      rules: {
        alone,
        exact: !grouped && (alone || !layout.hasMask || !layout.hasPositions || options.slidingWindow),
        steady: spec.accuracyLevel?.['model'] === EIGHT_BITS,
        passTokens: (PASS_WEIGHTS * bytes) / layout.tokenBytes,
      },
      options,
      advice: inFloats && spec.accuracyLevel === undefined && lane.device.kind === 'cpu' ? ADVICE : undefined,
      vocabulary: vocabulary === undefined || vocabulary < 1 ? undefined : vocabulary,
    });
  });
}

interface OpenedDecoder {
  readonly graph: Graph;
  readonly extended: boolean;
  readonly grouped: boolean;
  /** Size of the weights. */
  readonly bytes: number;
  /** The file multiplies by quantised weights without quantising activations. */
  readonly inFloats: boolean;
}

async function openDecoder(
  file: string,
  { spec, lane, options }: { spec: ModelSpec; lane: LaneData; options: GenerationOptions },
): Promise<OpenedDecoder> {
  const own = ownOptions(spec, 'model');
  const model = tryReadOnnxModel(file);
  const bytes = sizeWithExternalData(file);
  const grouped = model !== undefined && findOperator(model, GROUPED_OPERATOR) !== undefined;
  const matrices = model === undefined ? undefined : findOperator(model, QUANTISED_MATRICES);
  const [level = 0] = matrices?.attributes.get('accuracy_level')?.integers ?? [];
  const about = { grouped, bytes, inFloats: matrices !== undefined && level < EIGHT_BITS };
  if (model !== undefined && !grouped) {
    const outputs = lastOutputs(metadataOf(model.graph), options);
    try {
      const graph = await openGraph(file, own, lane, [endOutputs(PREFIX, outputs)]);
      return { ...about, graph, extended: true };
    } catch {
      // A graph that cannot take more nodes (above 2 GiB with them, for example) returns its whole cache with each token, which is only slower.
    }
  }
  return { ...about, graph: await openGraph(file, own, lane), extended: false };
}

/**
 * A decoder's graph returns the whole cache of every row with each token, and the binding copies all of it into JavaScript. Only the part of
 * the new tokens is needed, which is written into a cache that stays in place, and only the logits of the last token.
 */
function lastOutputs(graph: GraphMetadata, options: GenerationOptions): EndOutput[] {
  const { cache, cacheType } = readLayout(graph, options);
  const logits = graph.outputMetadata.find(({ name }) => name === 'logits');
  const logitsType = logits?.isTensor === true && logits.type === 'float16' ? 'float16' : 'float32';
  return [
    ...cache.map(({ present }): EndOutput => ({
      name: newPart(present),
      of: present,
      axis: 2,
      length: { input: 'input_ids' },
      type: cacheType,
    })),
    { name: LAST_LOGITS, of: 'logits', axis: 1, length: 1, type: logitsType },
  ];
}
