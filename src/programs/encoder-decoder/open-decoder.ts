import type { LaneData } from '../../device.ts';
import type { ModelSpec } from '../../model-spec.ts';
import { openGraph, ownOptions, type Graph, type OwnOptions } from '../../onnx/graph.ts';
import { releaseOnFailure } from '../../onnx/release-on-failure.ts';
import { tryReadOnnxModel } from '../../onnx/structure.ts';
import { attentionOutputs, findAttention } from '../../onnx/surgery/attention-outputs.ts';
import { constantInput } from '../../onnx/surgery/constant-input.ts';
import { CACHE_SWITCH, CrossDecoder } from './decoder.ts';

const ATTENTION = /^cross_attentions\.\d+$/;

/** The roles of the decoder's graphs in `files` of model.json. */
export const DECODER = 'decoder';
export const DECODER_WITH_PAST = 'decoderWithPast';

/**
 * Opens the two sessions of a program's decoder; where a merged graph cannot be changed (weights beside the file), one session serves both. `attends`: the decoder gives its attention to the
 * source, where that can be had. Throws a plain Error saying what is wrong.
 */
export async function openCrossDecoder(
  spec: ModelSpec,
  lane: LaneData,
  { attends = false }: { attends?: boolean } = {},
): Promise<CrossDecoder> {
  const { [DECODER]: file, [DECODER_WITH_PAST]: withPast } = spec.program?.graphs ?? {};
  if (file === undefined) throw new Error('the program needs a decoder');
  const own = ownOptions(spec, DECODER);
  return releaseOnFailure(await openFirst(file, own, lane, attends), async (first) => {
    const isMerged = first.session.inputNames.includes(CACHE_SWITCH);
    const further =
      isMerged || withPast === undefined
        ? await openFurther(file, own, lane)
        : await openGraph(withPast, ownOptions(spec, DECODER_WITH_PAST), lane);
    return further === undefined
      ? new CrossDecoder(first, first)
      : releaseOnFailure(further, () => new CrossDecoder(first, further));
  });
}

/** Opens the graph with its attention to the source among its outputs, where that is wanted and can be had. */
async function openFirst(file: string, own: OwnOptions, lane: LaneData, attends: boolean): Promise<Graph> {
  const graph = attends ? tryReadOnnxModel(file)?.graph : undefined;
  const hasOwn = graph?.outputs.some(({ name }) => ATTENTION.test(name)) ?? true;
  const found = graph === undefined || hasOwn ? [] : findAttention(graph);
  if (found.length === 0) return openGraph(file, own, lane);
  try {
    return await openGraph(file, own, lane, [attentionOutputs(found)]);
  } catch {
    return openGraph(file, own, lane);
  }
}

/** Of a merged graph, the part for further passes. */
async function openFurther(file: string, own: OwnOptions, lane: LaneData): Promise<Graph | undefined> {
  const drop = (output: string): boolean => /^present\.\d+\.encoder\./.test(output);
  try {
    return await openGraph(file, own, lane, [constantInput({ input: CACHE_SWITCH, value: true, drop })]);
  } catch {
    return undefined;
  }
}
