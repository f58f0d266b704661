import { z } from 'zod';
import { Tensor as OrtTensor } from 'onnxruntime-node';
import type { LaneData } from '../../device.ts';
import type { ModelSpec } from '../../model-spec.ts';
import { openGraph, ownOptions } from '../../onnx/graph.ts';
import { releaseOnFailure } from '../../onnx/release-on-failure.ts';
import { openSession } from '../../onnx/session.ts';
import { partOf } from '../../onnx/surgery/part-of.ts';
import type { ImageTextOptions } from '../../tasks/image-text/contract.ts';
import type { Program } from '../program.ts';
import { ImageTextProgram } from './program.ts';

const optionsSchema = z.object({
  padId: z.number(),
  padTo: z.number().optional(),
  row: z.array(z.number()),
  outputs: z.object({ vector: z.string(), logits: z.string() }),
  logit: z.tuple([z.number(), z.number()]).optional(),
});

const TEXT_OUTPUT = 'text_embeds';

/** Opens the graphs of images and of texts: two files, or two parts of one. Throws a plain Error saying what is wrong. */
export async function openImageTextProgram(spec: ModelSpec, lane: LaneData): Promise<Program> {
  const options = optionsSchema.parse(spec.program?.options);
  const textFile = spec.program?.graphs['text'];
  const isWhole = textFile === undefined;
  const image = await openSession(spec, lane, isWhole ? [partOf({ outputs: [options.outputs.vector] })] : []);
  return releaseOnFailure(image, async () => {
    const text = await openSession(
      { ...spec, weights: textFile ?? spec.weights },
      lane,
      isWhole ? [partOf({ outputs: [TEXT_OUTPUT] })] : [],
    );
    return releaseOnFailure(text, async () => {
      const logit = isWhole ? await readLogit(spec, lane, options.outputs) : undefined;
      return new ImageTextProgram({ image, text, options, logit: logit ?? options.logit });
    });
  });
}

/**
 * The scale and the bias that make logits of cosines, which a graph holds as weights of unknown names: its last part is run on vectors whose
 * cosines are 1 and 0. Undefined where logits are not made of the vectors alone.
 */
async function readLogit(
  spec: ModelSpec,
  lane: LaneData,
  { vector, logits: output }: ImageTextOptions['outputs'],
): Promise<ImageTextOptions['logit']> {
  const edit = partOf({ outputs: [output], from: [vector, TEXT_OUTPUT] });
  const graph = await openGraph(spec.weights, ownOptions(spec, 'model'), lane, [edit]);
  try {
    const { inputMetadata, inputNames } = graph.session;
    const size = inputMetadata.map((input) => (input.isTensor ? input.shape.at(-1) : undefined)).find(isNumber) ?? 2;
    if (inputNames.length !== 2) return undefined;
    const first = [1, ...Array<number>(size - 1).fill(0)];
    const second = [0, 1, ...Array<number>(size - 2).fill(0)];
    const { [output]: logits } = await graph.run({
      [vector]: new OrtTensor('float32', Float32Array.from(first), [1, size]),
      [TEXT_OUTPUT]: new OrtTensor('float32', Float32Array.from([...first, ...second]), [2, size]),
    });
    const [one = NaN, none = NaN] = (logits?.data ?? []) as Float32Array;
    return [one - none, none];
  } finally {
    await graph.release();
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}
