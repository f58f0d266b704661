import { z } from 'zod';
import { once } from '../../once.ts';
import { count, INPUT_USAGE } from '../shared/answer-schema.ts';
import { parseJsonObject } from '../../json.ts';
import { fieldError, flag, number, readFields, text, unknownFields } from '../shared/body-schema.ts';
import { JsonChunks } from '../shared/json-chunks.ts';
import { jsonItem, type Answer, type AnswerHead, type DecodeContext, type ItemsRequest } from '../shared/operation.ts';
import { replyJson } from '../shared/reply-json.ts';
import { allReplies, type ItemResult } from '../shared/results.ts';
import { checkCount, texts } from '../shared/text-inputs.ts';

/** Scores of pairs of texts, as vLLM gives them. https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html#score-api */

const oneOrMore = z.union([text, texts], 'a string or an array of strings').optional();

/** The names of the two sides, the newest first; a request has one pair of them. */
const SIDES = [
  ['queries', 'documents'],
  ['data_1', 'data_2'],
  ['text_1', 'text_2'],
] as const;

const schema = z.object({
  model: text.optional(),
  queries: oneOrMore,
  documents: oneOrMore,
  data_1: oneOrMore,
  data_2: oneOrMore,
  text_1: oneOrMore,
  text_2: oneOrMore,
  /** Of the second text. */
  max_tokens_per_doc: number({ min: 1, integer: true }).optional(),
  /** False: the graph's own number. */
  use_activation: flag.optional(),
  /** The older name. */
  activation: flag.optional(),
});

export { schema as SCORE_BODY };

export interface ScorePairs {
  /** One text, or as many as `second`. */
  readonly first: readonly string[];
  readonly second: readonly string[];
  /** The name of the second list, for errors. */
  readonly field: string;
}

/** A request for scores, before it is known which kind of model scores. */
export interface ScoreRequest {
  readonly model: string | undefined;
  readonly ignored: readonly string[];
  readonly pairs: ScorePairs;
  /** Undefined: as the model's own library has it. */
  readonly activates: boolean | undefined;
  /** Parameters of every task for texts. */
  readonly cut: Readonly<Record<string, unknown>>;
}

/** Throws BAD_REQUEST or TOO_LARGE. */
export function readScore(body: Uint8Array, { itemLimit }: DecodeContext): ScoreRequest {
  const values = parseJsonObject(body);
  const ignored = unknownFields(schema, values);
  const asked = readFields(schema, values);
  const { max_tokens_per_doc: most } = asked;
  return {
    model: asked.model,
    ignored,
    pairs: pairsOf(asked, itemLimit),
    activates: asked.use_activation ?? asked.activation,
    // Who names a length wants longer texts cut to it.
    cut: most === undefined ? {} : { truncate: true, max_tokens: most },
  };
}

/** `POST /score` for a cross-encoder: one item per pair. Throws BAD_REQUEST or TOO_LARGE. */
export function decodeScore(body: Uint8Array, context: DecodeContext): ItemsRequest<ScoreOptions> {
  const { model, ignored, pairs, activates, cut } = readScore(body, context);
  const { first, second, field } = pairs;
  const [only] = first;
  const parameters = { ...cut, raw_scores: activates === undefined ? undefined : !activates };
  return {
    model,
    ignored,
    items: second.map((one, index) =>
      jsonItem({ query: first.length === 1 ? only : first[index], text: one }, parameters),
    ),
    options: { field },
  };
}

export interface ScoreOptions {
  readonly field: string;
}

/** The pairs of a request: one text with each of the others, or the texts of two lists of one length. */
function pairsOf(asked: z.output<typeof schema>, itemLimit: number): ScorePairs {
  const sides = SIDES.find(([one, other]) => asked[one] !== undefined || asked[other] !== undefined) ?? SIDES[2];
  const [first, second] = sides.map((name) => {
    const given = asked[name];
    if (given === undefined)
      throw fieldError(name, `Missing required parameter: '${name}'.`, 'missing_required_parameter');
    return typeof given === 'string' ? [given] : given;
  }) as [readonly string[], readonly string[]];
  checkCount(Math.max(first.length, second.length), itemLimit);
  if (first.length !== 1 && first.length !== second.length)
    throw fieldError(
      sides[0],
      `Invalid value for '${sides[0]}': expected one text, or as many as '${sides[1]}' has (${second.length}), got ${first.length}.`,
    );
  return { first, second, field: sides[1] };
}

export const SCORE_ANSWER = once(() => {
  const score = z.object({ index: count, object: z.literal('score'), score: z.number() });
  return z
    .object({
      ...{ id: text, object: z.literal('list'), created: count, model: text },
      ...{ data: z.array(score), usage: INPUT_USAGE() },
    })
    .meta({ id: 'Scores' });
});

/** The answer, in the order of the request; the error of a bad pair has its index. */
export function encodeScore(results: readonly ItemResult[], { field }: ScoreOptions, head: ScoreHead): Answer {
  const scored = allReplies(results, field).map((reply) => replyJson(reply) as Scored);
  return scoreAnswer(scored, head);
}

export interface Scored {
  readonly score: number;
  readonly tokens: number;
}
export type ScoreHead = Pick<AnswerHead, 'id' | 'model' | 'created'>;

export function scoreAnswer(scored: readonly Scored[], { id, model, created }: ScoreHead): Answer {
  const tokens = scored.reduce((sum, one) => sum + one.tokens, 0);
  const json = new JsonChunks();
  json.add(
    `{"id":${JSON.stringify(`score-${id}`)},"object":"list","created":${created},"model":${JSON.stringify(model)},"data":[`,
  );
  for (const [index, { score }] of scored.entries())
    json.add(`${index === 0 ? '' : ','}{"index":${index},"object":"score","score":${JSON.stringify(score)}}`);
  json.add(`],"usage":{"prompt_tokens":${tokens},"total_tokens":${tokens},"completion_tokens":0}}`);
  return { contentType: 'application/json', chunks: json.finish() };
}
