import type { SpeechParameters } from '../../../src/tasks/transcription/speech-work.ts';
import { UNKNOWN_LANGUAGE } from '../../../src/tasks/transcription/speech-work.ts';
import {
  HEADS,
  MELS,
  SIZE,
  SUPPRESSED,
  SUPPRESSED_FIRST,
  TOKEN,
  VOCABULARY,
  WIDTH,
  tinyWeights,
  type Weights,
} from './tiny-whisper.ts';

/** What the tiny Whisper must write, by plain loops in float64: no ONNX, no cache, no batch, one token after the other. */

export interface PlainText {
  readonly tokens: readonly number[];
  readonly meanLogprob: number;
  readonly noSpeechProb: number;
  readonly language: number;
}

type Vector = readonly number[];
type Scores = (ids: readonly number[], position: number) => number[];

/** The likeliest text of a window with features [mels, 3000]. */
export function plainWhisper(features: Float32Array, parameters: SpeechParameters): PlainText {
  const weights = tinyWeights();
  const scores = plainDecoder(plainEncoder(features, weights), weights);
  const prompt = [...parameters.prompt];
  const unknown = prompt.indexOf(UNKNOWN_LANGUAGE);
  if (unknown >= 0) {
    const heard = scores([TOKEN.start], 0);
    prompt[unknown] = [TOKEN.en, TOKEN.de, TOKEN.fr].reduce((best, id) =>
      at(heard, id) > at(heard, best) ? id : best,
    );
  }
  const start = prompt.lastIndexOf(TOKEN.start);
  const first = scores(prompt, start);
  const tokens: number[] = [];
  let sum = 0;
  while (tokens.length < parameters.maxTokens && tokens.at(-1) !== TOKEN.end) {
    const logits = scores([...prompt, ...tokens], prompt.length + tokens.length - 1);
    const allowed = logits.map((logit, id) => (isAllowed(id, tokens, parameters.timestamps) ? logit : -Infinity));
    const logprobs = logSoftmax(parameters.timestamps ? withoutUnlikelyText(allowed) : allowed);
    const best = logprobs.indexOf(Math.max(...logprobs));
    tokens.push(best);
    sum += at(logprobs, best);
  }
  return {
    tokens,
    meanLogprob: sum / tokens.length,
    noSpeechProb: Math.exp(at(logSoftmax(first), TOKEN.noSpeech)),
    language: at(prompt, start + 1),
  };
}

/** The rules of OpenAI's decoding.py, for one token. */
function isAllowed(id: number, before: readonly number[], timestamps: boolean): boolean {
  if (SUPPRESSED.includes(id) || (before.length === 0 && SUPPRESSED_FIRST.includes(id))) return false;
  return !timestamps || (id !== TOKEN.noTimestamps && keepsTime(id, before));
}

function keepsTime(id: number, before: readonly number[]): boolean {
  if (before.length === 0) return isTime(id) && id <= TOKEN.timestampBegin + 50;
  const isAfterTime = isTime(before.at(-1));
  const isAfterPair = isAfterTime && (before.length < 2 || isTime(before.at(-2)));
  const isHalfPair = isAfterTime && !isAfterPair;
  if (!isTime(id)) return !isHalfPair || id >= TOKEN.end;
  const latest = Math.max(...before.filter(isTime));
  return !isAfterPair && (isHalfPair ? id >= latest : id > latest);
}

function isTime(token: number | undefined): boolean {
  return token !== undefined && token >= TOKEN.timestampBegin;
}

/** If all timestamps together are likelier than any text, no text is allowed. */
function withoutUnlikelyText(logits: Vector): number[] {
  const text = Math.max(...logits.slice(0, TOKEN.timestampBegin));
  const times = logits.slice(TOKEN.timestampBegin).reduce((sum, logit) => sum + Math.exp(logit), 0);
  return logits.map((logit, id) => (id < TOKEN.timestampBegin && Math.log(times) > text ? -Infinity : logit));
}

function plainEncoder(features: Float32Array, { conv, bias }: Weights): Vector[] {
  return Array.from({ length: 1500 }, (_, frame) =>
    Array.from({ length: WIDTH }, (_, channel) => {
      let sum = at(bias.data, channel);
      for (let mel = 0; mel < MELS; mel += 1)
        for (let tap = 0; tap < 3; tap += 1) {
          const column = 2 * frame + tap - 1;
          if (column < 0 || column >= 3000) continue;
          sum += at(conv.data, (channel * MELS + mel) * 3 + tap) * at(features, mel * 3000 + column);
        }
      return Math.tanh(sum);
    }),
  );
}

/** How each head of each token of a text looks at the audio: [token][head][frame]. */
export function plainAttention(features: Float32Array, ids: readonly number[]): Vector[][] {
  const weights = tinyWeights();
  const audioKeys = plainEncoder(features, weights).map((vector) => times(vector, weights.audioK.data));
  const after = plainText(weights);
  return ids.map((_, position) => {
    const query = times(after(ids, position), weights.audioQ.data);
    return Array.from({ length: HEADS }, (_head, head) => sharesOf(query, audioKeys, head));
  });
}

/** Logits of the token behind `position`. */
function plainDecoder(hidden: readonly Vector[], weights: Weights): Scores {
  const audioKeys = hidden.map((vector) => times(vector, weights.audioK.data));
  const audioValues = hidden.map((vector) => times(vector, weights.audioV.data));
  const text = plainText(weights);
  return (ids, position) => {
    const after = text(ids, position);
    const audio = look(times(after, weights.audioQ.data), audioKeys, audioValues);
    return times(plus(after, times(audio, weights.audioO.data)), weights.head.data, VOCABULARY);
  };
}

/** The token at `position` after it has looked at those before it. */
function plainText(weights: Weights): Scores {
  return (ids, position) => {
    const words = ids
      .slice(0, position + 1)
      .map((id, place) =>
        Array.from(
          { length: WIDTH },
          (_, at_) => at(weights.embedding.data, id * WIDTH + at_) + at(weights.positions.data, place * WIDTH + at_),
        ),
      );
    const word = words[position] ?? [];
    const keys = words.map((vector) => times(vector, weights.k.data));
    const values = words.map((vector) => times(vector, weights.v.data));
    const own = look(times(word, weights.q.data), keys, values);
    return plus(word, times(own, weights.o.data));
  };
}

/** Attention of one query over all keys, head by head. */
function look(query: Vector, keys: readonly Vector[], values: readonly Vector[]): number[] {
  return Array.from({ length: HEADS }, (_, head) => {
    const shares = sharesOf(query, keys, head);
    return Array.from({ length: SIZE }, (_, place) =>
      values.reduce((sum, value, row) => sum + at(shares, row) * at(value, head * SIZE + place), 0),
    );
  }).flat();
}

function sharesOf(query: Vector, keys: readonly Vector[], head: number): number[] {
  const part = (vector: Vector): Vector => vector.slice(head * SIZE, (head + 1) * SIZE);
  const scores = keys.map((key) => dot(part(query), part(key)) / Math.sqrt(SIZE));
  return logSoftmax(scores).map(Math.exp);
}

function logSoftmax(values: Vector): number[] {
  const most = Math.max(...values);
  const total = values.reduce((sum, value) => sum + Math.exp(value - most), 0);
  return values.map((value) => value - most - Math.log(total));
}

/** A vector times a matrix [vector.length, columns]. */
function times(vector: Vector, matrix: Float32Array, columns = WIDTH): number[] {
  return Array.from({ length: columns }, (_, column) =>
    vector.reduce((sum, value, row) => sum + value * at(matrix, row * columns + column), 0),
  );
}

function plus(one: Vector, other: Vector): number[] {
  return one.map((value, place) => value + at(other, place));
}

function dot(one: Vector, other: Vector): number {
  return one.reduce((sum, value, place) => sum + value * at(other, place), 0);
}

function at(values: ArrayLike<number>, index: number): number {
  return values[index] ?? NaN;
}
