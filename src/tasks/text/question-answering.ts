import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { isObject } from '../../json.ts';
import { readOptions } from '../options.ts';
import { readParameters } from '../parameters.ts';
import type { Item, ProgramSpec, Reply, ServeContext, Task, TaskSource } from '../task.ts';
import { findAnswers, type ScoredWindow, type SpanOptions } from './answer-spans.ts';
import { inCharacters } from './code-points.ts';
import { encoderOptions, encoderProgram, openEncoderModel, type EncoderModel } from './encoder-model.ts';
import { servedBy, servedInTwoParts } from '../served.ts';
import { callWithScores, runTexts } from './run-windows.ts';
import { isLightText } from './text-items.ts';
import { cutWindows, windowRoom, type TextWindow } from './windows.ts';

/**
 * A question and a text in, the part of the text that answers it out: `{"score": 0.97, "start": 31, "end": 37, "answer": "London"}`. As the pipeline of
 * transformers 4 has it; version 5 has none.
 */

const options = z.strictObject(encoderOptions);

const count = z.number().int().min(1);
const parameters = z.strictObject({
  top_k: count.max(100).default(1),
  /** Longest answer in tokens. */
  max_answer_len: count.max(512).default(15),
  /** Tokens of question and context in one window, special ones included. */
  max_seq_len: count.optional(),
  /** Tokens of the context that two windows share. */
  doc_stride: z.number().int().min(0).optional(),
  max_question_len: count.optional(),
  handle_impossible_answer: z.boolean().default(false),
  align_to_words: z.boolean().default(true),
});

/** The outputs of such graphs. */
const HEADS = ['start_logits', 'end_logits'] as const;
/** transformers' defaults. */
const USUAL_LENGTH = 384;
const USUAL_STRIDE = 128;

interface ReadyQuestion {
  readonly context: string;
  readonly windows: readonly TextWindow[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly words: readonly number[];
  readonly options: Omit<SpanOptions, 'context'>;
}

interface AnswerCall {
  readonly ready: ReadyQuestion;
  readonly scores: readonly Float32Array[];
}

/** The text encoder, for scores of where answers begin and end. Throws a plain Error that names the file at fault. */
export async function chooseQuestionAnsweringProgram(source: Omit<TaskSource, 'signature'>): Promise<ProgramSpec> {
  return encoderProgram(source, 'token-scores', { ...readOptions(source, options), heads: HEADS });
}

/** Builds the task. Throws a plain Error that says what is wrong with the model or its options. */
export async function createQuestionAnsweringTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, options);
  const model = await openEncoderModel(source, own, () => ({}));
  const windows = (item: Item): ReadyQuestion => readyQuestion(item, model, own.maxCharacters);
  const serve = async (ready: ReadyQuestion, context: ServeContext): Promise<Reply> => {
    const scores = await runTexts(ready.windows, { encoder: model.encoder, context, wanted: { all: true } });
    return { json: await callWithScores(context, 'answers', { ready, scores }) };
  };
  return {
    rawTypes: [],
    isLight: isLightText,
    checkTensors: model.checkTensors,
    ...servedBy('question-answering'),
    isLightReply: () => true,
    ...servedInTwoParts({ read: windows, call: 'windows', serve, isLight: isLightText }),
    calls: {
      ...model.calls,
      windows,
      answers,
    },
  };
}

function readyQuestion(item: Item, { tokenizer, maxLength }: EncoderModel, maxCharacters: number): ReadyQuestion {
  const asked = readParameters(item, parameters);
  const [question, context] = readQuestion(item, maxCharacters);
  const most = Math.min(maxLength, asked.max_seq_len ?? USUAL_LENGTH);
  const half = Math.max(1, Math.floor(windowRoom(tokenizer, { maxLength: most, before: [] }) / 2));
  const before = tokenizer.encode(question, { addSpecialTokens: false }).slice(0, asked.max_question_len ?? half);
  const room = windowRoom(tokenizer, { maxLength: most, before });
  const stride = asked.doc_stride ?? Math.min(Math.floor(most / 2), USUAL_STRIDE, Math.max(0, room - 1));
  if (room < 1 || stride >= room)
    throw new ServerError(
      'INVALID_INPUT',
      `The question leaves room for ${Math.max(0, room)} tokens of the context in a window of ${most}; doc_stride must be below that.`,
      { param: 'doc_stride' },
    );
  const { ids, starts, ends, words } = tokenizer.align(context);
  if (ids.length === 0) throw new ServerError('INVALID_INPUT', 'The context has no tokens.');
  const inContext = inCharacters(context);
  return {
    context,
    windows: cutWindows(tokenizer, ids, { maxLength: most, stride, before }),
    starts: starts.map(inContext),
    ends: ends.map(inContext),
    words,
    options: {
      topK: asked.top_k,
      maxLength: asked.max_answer_len,
      mayBeImpossible: asked.handle_impossible_answer,
      byWords: asked.align_to_words,
    },
  };
}

function answers({ ready, scores }: AnswerCall): unknown {
  const windows = ready.windows.map(({ from, to, at }, index): ScoredWindow => ({
    scores: scores[index] ?? new Float32Array(0),
    at,
    count: to - from,
    starts: ready.starts.slice(from, to),
    ends: ready.ends.slice(from, to),
    words: ready.words.slice(from, to),
  }));
  const found = findAnswers(windows, { ...ready.options, context: Array.from(ready.context) });
  return found.length === 1 ? found[0] : found;
}

const WHAT = 'This model takes an object {"question": string, "context": string}.';

/** Throws INVALID_INPUT or TOO_LARGE. */
function readQuestion(item: Item, maxCharacters: number): readonly [string, string] {
  if (item.kind !== 'json' || !isObject(item.value)) throw new ServerError('INVALID_INPUT', WHAT);
  const { question, context } = item.value;
  if (typeof question !== 'string' || typeof context !== 'string') throw new ServerError('INVALID_INPUT', WHAT);
  if (question.trim() === '' || context.trim() === '')
    throw new ServerError('INVALID_INPUT', 'The question or the context is empty.');
  if (question.length > maxCharacters || context.length > maxCharacters)
    throw new ServerError('TOO_LARGE', `The text is longer than ${maxCharacters} characters.`);
  return [question, context];
}
