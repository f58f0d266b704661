import { stat } from 'node:fs/promises';
import type { InferenceSession } from 'onnxruntime-node';
import type { LaneData } from '../../device.ts';
import type { ModelSpec } from '../../model-spec.ts';
import type { GenerationOptions } from '../../tasks/chat/generation.ts';
import { openGraph, openGraphBytes, ownOptions, readGraph, type Graph } from '../../onnx/graph.ts';
import type { Program } from '../program.ts';
import { releaseOnFailure } from '../../onnx/release-on-failure.ts';
import { LaneSession } from '../../onnx/session.ts';
import { oneByOne } from '../../tensors/tensor.ts';
import { readSignature } from '../../onnx/signature.ts';
import { Decoder } from './decoder.ts';
import { graphExtension, isAdded } from './extend.ts';
import { readLayout } from './layout.ts';
import { GenerationProgram } from './program.ts';

/** Another run costs as much as reading its weights so many times as padding (measured on a CPU: half to twice that). */
const PASS_WEIGHTS = 2;
/** Graphs with it derive a row's length from the sum of its mask. */
const GROUPED_OPERATOR = 'GroupQueryAttention';

/** Opens a decoder-only model for generation. Throws a plain Error saying what is wrong with it. */
export async function openGenerationProgram(spec: ModelSpec, lane: LaneData): Promise<Program> {
  const options = spec.program?.options as GenerationOptions | undefined;
  const file = spec.program?.graphs['model'] ?? spec.weights;
  if (options === undefined) throw new Error('the generation program has no options');
  const { graph, extended, grouped, bytes } = await openDecoder(file, { spec, lane, options });
  return releaseOnFailure(graph, () => {
    const layout = readLayout(graph.session, options);
    const found = readSignature(graph.session, spec);
    const alone = graph.dynamicOperator !== undefined;
    const own = alone ? oneByOne(found) : found;
    const signature = { ...own, outputs: own.outputs.filter(({ name }) => !isAdded(name)) };
    const decoder = new Decoder(graph, layout, { extended, grouped });
    const vocabulary = own.outputs.find(({ name }) => name === 'logits')?.shape.at(-1);
    return new GenerationProgram({
      decoder,
      graph: new LaneSession(spec, graph, signature),
      // Without positions of their own, or looking back by places rather than positions, rows may have no gaps; nor where a row is to get
      // what the file gives it alone, to the last bit.
      rules: {
        alone,
        exact: !grouped && (alone || !layout.hasMask || !layout.hasPositions || options.slidingWindow),
        passTokens: (PASS_WEIGHTS * bytes) / layout.tokenBytes,
      },
      options,
      vocabulary: vocabulary === undefined || vocabulary < 1 ? undefined : vocabulary,
    });
  });
}

interface OpenedDecoder {
  readonly graph: Graph;
  readonly extended: boolean;
  readonly grouped: boolean;
  /** Of the weights. */
  readonly bytes: number;
}

async function openDecoder(
  file: string,
  { spec, lane, options }: { spec: ModelSpec; lane: LaneData; options: GenerationOptions },
): Promise<OpenedDecoder> {
  const own = ownOptions(spec, 'model');
  const model = await readGraph(file, own);
  const grouped = model.includes(GROUPED_OPERATOR);
  const outside = await stat(`${file}_data`).catch(() => undefined);
  const bytes = model.byteLength + (outside?.size ?? 0);
  if (grouped) return { graph: await openGraph(file, own, lane), extended: false, grouped, bytes };
  // For its metadata alone, so without the work that would make it quick.
  const plain = await openGraph(file, { ...own, graphOptimizationLevel: 'disabled' }, lane, { briefly: true });
  const { layout, logitsType } = await releaseOnFailure(plain, ({ session }) => ({
    layout: readLayout(session, options),
    logitsType: logitsTypeOf(session),
  }));
  await plain.release();
  try {
    const extension = graphExtension(layout, logitsType);
    const graph = await openGraphBytes(Buffer.concat([model, extension]), { file, own, lane });
    return { graph, extended: true, grouped, bytes };
  } catch {
    // A graph that takes no further nodes (beyond 2 GiB with them, say) gives its whole cache with each token, which is slower alone.
    return { graph: await openGraph(file, own, lane), extended: false, grouped, bytes };
  }
}

function logitsTypeOf({ outputMetadata }: InferenceSession): 'float16' | 'float32' {
  const logits = outputMetadata.find(({ name }) => name === 'logits');
  return logits?.isTensor === true && logits.type === 'float16' ? 'float16' : 'float32';
}
