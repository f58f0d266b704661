import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { readOptions } from '../options.ts';
import { readParameters } from '../parameters.ts';
import type { Item, ProgramSpec, Reply, ServeContext, Task, TaskSource } from '../task.ts';
import { inCharacters } from './code-points.ts';
import { encoderOptions, encoderProgram, openLabelledModel, type EncoderModel } from './encoder-model.ts';
import { findEntities, STRATEGIES, type ScoredToken, type Strategy } from './entities.ts';
import { servedBy, servedInTwoParts } from '../served.ts';
import { callWithScores, runTexts } from './run-windows.ts';
import { ACTIVATIONS } from './scores.ts';
import { readText, TEXT_TYPES } from './text-input.ts';
import { isLightText } from './text-items.ts';
import { cutWindows, windowRoom, type TextWindow } from './windows.ts';

/** The entities of a text: `[{"entity_group": "PER", "score": 0.99, "word": "Sarah", "start": 11, "end": 16}, ...]`. */

const options = z.strictObject({
  ...encoderOptions,
  /** How tokens become entities if the request does not say. */
  aggregationStrategy: z.enum(STRATEGIES).default('simple'),
});

const parameters = z.strictObject({
  aggregation_strategy: z.enum(STRATEGIES).optional(),
  ignore_labels: z.array(z.string()).default(['O']),
  /** Tokens that two windows of a long text share; default: a quarter of a window. */
  stride: z.number().int().min(0).optional(),
});

/** A text that is ready to run, and what its entities need. Plain data. */
interface ReadyText {
  readonly text: string;
  readonly windows: readonly TextWindow[];
  readonly ids: readonly number[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly strategy: Strategy;
  readonly ignored: readonly string[];
}

interface JudgeCall {
  readonly ready: ReadyText;
  /** Logits of the tokens of each window. */
  readonly scores: readonly Float32Array[];
}

/** The text encoder, for scores of tokens. Throws a plain Error that names the file at fault. */
export async function chooseTokenClassificationProgram(source: Omit<TaskSource, 'signature'>): Promise<ProgramSpec> {
  return encoderProgram(source, 'token-scores', readOptions(source, options));
}

/** Builds the task. Throws a plain Error that says what is wrong with the model or its options. */
export async function createTokenClassificationTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, options);
  const { model, labels = [] } = await openLabelledModel(source, own);
  const { maxCharacters, aggregationStrategy } = own;
  const windows = (item: Item): ReadyText => readyText(item, model, { maxCharacters, aggregationStrategy });
  return {
    rawTypes: TEXT_TYPES,
    isLight: isLightText,
    checkTensors: model.checkTensors,
    ...servedBy('token-classification'),
    isLightReply: () => true,
    ...servedInTwoParts({
      ...{ read: windows, call: 'windows', isLight: isLightText },
      serve: (ready: ReadyText, context) => serve(ready, context, model),
    }),
    calls: {
      ...model.calls,
      windows,
      entities: (call: JudgeCall): unknown => judge(call, model, labels),
    },
  };
}

async function serve(ready: ReadyText, context: ServeContext, { encoder }: EncoderModel): Promise<Reply> {
  const scores = await runTexts(ready.windows, { encoder, context, wanted: { all: true } });
  return { json: await callWithScores(context, 'entities', { ready, scores }) };
}

function readyText(
  item: Item,
  { tokenizer, maxLength }: EncoderModel,
  own: { readonly maxCharacters: number; readonly aggregationStrategy: Strategy },
): ReadyText {
  const asked = readParameters(item, parameters);
  const text = readText(item, own.maxCharacters);
  const { ids, starts, ends } = tokenizer.align(text);
  const room = windowRoom(tokenizer, { maxLength });
  const stride = asked.stride ?? Math.floor(room / 4);
  if (stride >= room)
    throw new ServerError('INVALID_INPUT', `stride must be below ${room}, the tokens of a window of this model.`, {
      param: 'stride',
    });
  const inText = inCharacters(text);
  return {
    text,
    windows: cutWindows(tokenizer, ids, { maxLength, stride }),
    ids,
    starts: starts.map(inText),
    ends: ends.map(inText),
    strategy: asked.aggregation_strategy ?? own.aggregationStrategy,
    ignored: asked.ignore_labels,
  };
}

function judge({ ready, scores: logits }: JudgeCall, { tokenizer }: EncoderModel, labels: readonly string[]): unknown {
  const { text, strategy, ignored, windows } = ready;
  const characters = Array.from(text);
  const unknown = tokenizer.specialToken('unk_token');
  const unknownId = unknown === undefined ? undefined : tokenizer.tokenToId(unknown);
  const tokensOf = (window: TextWindow, scores: Float32Array): ScoredToken[] => {
    const classes = scores.length / window.ids.length;
    return Array.from({ length: window.to - window.from }, (_, at): ScoredToken => {
      const token = window.from + at;
      const index = window.at + at;
      const id = ready.ids[token] ?? 0;
      const start = ready.starts[token] ?? 0;
      const end = ready.ends[token] ?? 0;
      const own = characters.slice(start, end).join('');
      const word = tokenizer.idToToken(id) ?? '';
      const isUnknown = id === unknownId;
      return {
        word: isUnknown ? own : word,
        scores: ACTIVATIONS.softmax(scores.subarray(index * classes, (index + 1) * classes)),
        start,
        end,
        index,
        continues: !isUnknown && continues(word, own, { start, characters, prefix: tokenizer.continuingPrefix }),
      };
    });
  };
  return findEntities(
    windows.map((window, index) => tokensOf(window, logits[index] ?? new Float32Array(0))),
    { strategy, labels, ignored, join: (tokens) => tokenizer.join(tokens) },
  );
}

/** Whether a token continues a word: its mark makes it longer than its text, or where tokens have no such mark, there is no space before it. */
function continues(
  word: string,
  own: string,
  {
    start,
    characters,
    prefix,
  }: { readonly start: number; readonly characters: readonly string[]; readonly prefix: string },
): boolean {
  if (prefix !== '') return Array.from(word).length !== Array.from(own).length;
  return start > 0 && characters[start - 1] !== ' ' && characters[start] !== ' ';
}
