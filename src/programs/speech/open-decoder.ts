import type { LaneData } from '../../device.ts';
import { openGraph, type Graph, type OwnOptions } from '../../onnx/graph.ts';
import { releaseOnFailure } from '../../onnx/release-on-failure.ts';
import { tryReadOnnxModel } from '../../onnx/structure.ts';
import { attentionOutputs, findAttention } from '../../onnx/surgery/attention-outputs.ts';
import { constantInput } from '../../onnx/surgery/constant-input.ts';
import { CACHE_SWITCH, SpeechDecoder } from './decoder.ts';

const ATTENTION = /^cross_attentions\.\d+$/;

/** Opens the decoder's two sessions; where the graph cannot be changed (weights beside the file), one session serves both. */
export async function openSpeechDecoder(file: string, own: OwnOptions, lane: LaneData): Promise<SpeechDecoder> {
  return releaseOnFailure(await openFirst(file, own, lane), async (first) => {
    const further = await openFurther(file, own, lane);
    return further === undefined
      ? new SpeechDecoder(first, first)
      : releaseOnFailure(further, () => new SpeechDecoder(first, further));
  });
}

/** Opens the graph with its attention to the audio among its outputs, where that can be had. */
async function openFirst(file: string, own: OwnOptions, lane: LaneData): Promise<Graph> {
  const graph = tryReadOnnxModel(file)?.graph;
  const hasOwn = graph?.outputs.some(({ name }) => ATTENTION.test(name)) ?? true;
  const found = graph === undefined || hasOwn ? [] : findAttention(graph);
  if (found.length === 0) return openGraph(file, own, lane);
  try {
    return await openGraph(file, own, lane, [attentionOutputs(found)]);
  } catch {
    return openGraph(file, own, lane);
  }
}

async function openFurther(file: string, own: OwnOptions, lane: LaneData): Promise<Graph | undefined> {
  const drop = (output: string): boolean => /^present\.\d+\.encoder\./.test(output);
  try {
    return await openGraph(file, own, lane, [constantInput({ input: CACHE_SWITCH, value: true, drop })]);
  } catch {
    return undefined;
  }
}
