import { z } from 'zod';
import { shortFloat32 } from '../../float-text.ts';
import { readOptions } from '../options.ts';
import type { Item, Outputs, Prepared, ProgramSpec, Reply, Task, TaskSource } from '../task.ts';
import { encoderOptions, encoderProgram, openEncoderModel, type EncoderModel } from './encoder-model.ts';
import { readParameters, truncation } from './parameters.ts';
import { ACTIVATIONS, logitsOf } from './scores.ts';
import { isLightText, readQueryAndText } from './text-items.ts';

/** How well a text answers a query: `{"score": 0.97, "tokens": n}`; for cross-encoders, whose graph gives one logit. */

const options = z.strictObject(encoderOptions);
const parameters = z.strictObject({ ...truncation, raw_scores: z.boolean().default(false) });

interface Memo {
  readonly tokens: number;
  readonly raw: boolean;
}

/** Throws a plain Error that names the file at fault. */
export async function chooseRerankingProgram(source: Omit<TaskSource, 'signature'>): Promise<ProgramSpec> {
  return encoderProgram(source, 'scores', readOptions(source, options));
}

export async function createRerankingTask(source: TaskSource): Promise<Task> {
  const model = await openEncoderModel(source, readOptions(source, options), ({ size }) => {
    if (size !== undefined && size !== 1) throw new Error(`reranking needs a graph of one score, not of ${size}`);
    return {};
  });
  return {
    rawTypes: [],
    isLight: isLightText,
    prepare: (item) => prepare(item, model),
    isLightReply: () => true,
    finish: (outputs, memo) => finish(outputs, memo as Memo),
    calls: model.calls,
  };
}

function prepare(item: Item, { encoder, autoTruncate }: EncoderModel): Prepared {
  const asked = readParameters(item, parameters);
  const [query, text] = readQueryAndText(item);
  const encoded = encoder.pair(query, text, {
    truncate: asked.truncate ?? autoTruncate,
    direction: asked.truncation_direction,
  });
  const memo: Memo = { tokens: encoded.ids.length, raw: asked.raw_scores };
  return { ...encoder.work(encoded), memo };
}

function finish(outputs: Outputs, { tokens, raw }: Memo): Reply {
  const logits = logitsOf(outputs);
  const [score] = raw ? logits : ACTIVATIONS.sigmoid(logits);
  if (score === undefined || logits.length !== 1)
    throw new Error(`the run gave ${logits.length} scores instead of one`);
  return { json: { score: shortFloat32(score), tokens } };
}
