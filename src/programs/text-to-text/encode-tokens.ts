import { typedView, type Tensor } from '../../tensors/tensor.ts';
import type { LaneSession } from '../../onnx/session.ts';
import { encodedRows, type Encoded } from '../encoder-decoder/encoded.ts';
import { makeFeeds } from '../text-encoder/feeds.ts';

/** Encodes token ids, INT32 [1, tokens] each, in one run, padded to the longest. Throws what ONNX Runtime throws. */
export async function encodeTokens(
  { onnx, signature }: LaneSession,
  sources: readonly Tensor[],
  padId: number,
): Promise<Encoded[]> {
  const rows = sources.map((source) => {
    if (source.datatype !== 'INT32') throw new Error('the source is not a list of token ids');
    return { ids: typedView(source) as Int32Array, secondFrom: undefined };
  });
  const lengths = rows.map(({ ids }) => ids.length);
  const feeds = makeFeeds(signature, rows, { length: Math.max(...lengths), padId, side: 'right' });
  const [outputName = ''] = onnx.session.outputNames;
  const output = (await onnx.run(feeds))[outputName];
  if (output === undefined) throw new Error(`output ${outputName} is missing`);
  return encodedRows(output, lengths);
}
