import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { shortFloat32 } from '../../tensors/float-text.ts';
import { readOptions } from '../options.ts';
import { readParameters } from '../parameters.ts';
import type { Item, Outputs, Prepared, ProgramSpec, Reply, Task, TaskSource } from '../task.ts';
import { TEXT_TYPES } from './text-input.ts';
import { encoderOptions, encoderProgram, openEncoderModel, type EncoderModel } from './encoder-model.ts';
import { cutOf, truncation } from './parameters.ts';
import { scoresOf } from './run-windows.ts';
import { ACTIVATIONS } from './scores.ts';
import { isLightText, readTextInput } from './text-items.ts';

/**
 * A text with a mask in, the likeliest tokens for it out: `[{"score": 0.41, "token": 3000, "token_str": "paris", "sequence": "the capital of france is
 * paris."}, ...]`; for several masks, a list of these. As transformers' pipeline has it.
 */

const options = z.strictObject(encoderOptions);

const parameters = z.strictObject({
  ...truncation,
  top_k: z.number().int().min(1).max(1_000).default(5),
  /** The only tokens that are looked at. */
  targets: z.union([z.string(), z.array(z.string()).min(1).max(1_000)]).optional(),
});

interface Memo {
  readonly ids: readonly number[];
  /** Where the masks are. */
  readonly masks: readonly number[];
  readonly topK: number;
  readonly targets: readonly number[] | undefined;
}

/** Most masks of a text: each has scores of the whole vocabulary. */
const MOST_MASKS = 64;
const LIGHT_REPLY_BYTES = 16_384;

/** The text encoder, for scores of tokens. Throws a plain Error that names the file at fault. */
export async function chooseFillMaskProgram(source: Omit<TaskSource, 'signature'>): Promise<ProgramSpec> {
  return encoderProgram(source, 'token-scores', readOptions(source, options));
}

/** Builds the task. Throws a plain Error that says what is wrong with the model or its options. */
export async function createFillMaskTask(source: TaskSource): Promise<Task> {
  const model = await openEncoderModel(source, readOptions(source, options), () => ({}));
  const mask = model.tokenizer.specialToken('mask_token');
  const maskId = mask === undefined ? undefined : model.tokenizer.tokenToId(mask);
  if (mask === undefined || maskId === undefined) throw new Error('tokenizer_config.json names no mask_token');
  return {
    rawTypes: TEXT_TYPES,
    isLight: isLightText,
    checkTensors: model.checkTensors,
    prepare: (item) => prepare(item, model, { mask, maskId }),
    isLightReply: (outputBytes) => outputBytes <= LIGHT_REPLY_BYTES,
    finish: (outputs, memo) => finish(outputs, memo as Memo, model),
    calls: { ...model.calls, mask: () => mask },
  };
}

function prepare(
  item: Item,
  { encoder, tokenizer, autoTruncate }: EncoderModel,
  { mask, maskId }: { readonly mask: string; readonly maskId: number },
): Prepared {
  const asked = readParameters(item, parameters);
  const encoded = encoder.single(readTextInput(item), cutOf(asked, autoTruncate));
  const masks = encoded.ids.flatMap((id, index) => (id === maskId ? [index] : []));
  if (masks.length === 0)
    throw new ServerError('INVALID_INPUT', `The text has no ${mask}, which stands for the token to find.`);
  if (masks.length > MOST_MASKS)
    throw new ServerError('INVALID_INPUT', `A text may have ${MOST_MASKS} of ${mask} at most.`);
  const targets =
    asked.targets === undefined
      ? undefined
      : [asked.targets].flat().map((target) => {
          const id = tokenizer.tokenToId(target) ?? tokenizer.encode(target, { addSpecialTokens: false })[0];
          if (id === undefined)
            throw new ServerError('INVALID_INPUT', `The target "${target.slice(0, 40)}" has no token.`, {
              param: 'targets',
            });
          return id;
        });
  const memo: Memo = { ids: encoded.ids, masks, topK: asked.top_k, targets: targets && [...new Set(targets)] };
  return { ...encoder.work(encoded, { all: true, at: masks }), memo };
}

function finish(outputs: Outputs, { ids, masks, topK, targets }: Memo, { tokenizer }: EncoderModel): Reply {
  const scores = scoresOf(outputs);
  const size = scores.length / masks.length;
  const isSingle = masks.length === 1;
  const padId = tokenizer.tokenToId(tokenizer.specialToken('pad_token') ?? '');
  const rows = masks.map((place, row) => {
    const chances = ACTIVATIONS.softmax(scores.subarray(row * size, (row + 1) * size));
    return best(chances, topK, targets).map((token) => {
      const filled = ids.map((id, index) => (index === place ? token : id)).filter((id) => id !== padId);
      return {
        score: shortFloat32(chances[token] ?? NaN),
        token,
        token_str: tokenizer.decode([token]),
        // With other masks left, special tokens stay in the text.
        sequence: tokenizer.decode(filled, { skipSpecialTokens: isSingle }),
      };
    });
  });
  return { json: isSingle ? rows[0] : rows };
}

/** The likeliest tokens, best first. */
function best(chances: Float32Array, topK: number, targets: readonly number[] | undefined): number[] {
  const among = targets ?? chances.keys();
  const kept: number[] = [];
  for (const token of among) {
    const chance = chances[token] ?? -1;
    if (kept.length === topK && chance <= (chances[kept[topK - 1] ?? 0] ?? 0)) continue;
    let place = kept.length;
    while (place > 0 && (chances[kept[place - 1] ?? 0] ?? 0) < chance) place -= 1;
    kept.splice(place, 0, token);
    if (kept.length > topK) kept.pop();
  }
  return kept;
}
