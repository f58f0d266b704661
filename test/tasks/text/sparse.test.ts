import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusal } from '../support.ts';
import { json } from './encoder-bench.ts';
import { numbers, openTiny, SIZE, TINY_TOKENIZER, VOCABULARY } from './tiny-encoder.ts';

/** Sparse vectors and vectors of tokens, against plain loops over the token vectors of the same weights. */

interface Pair {
  readonly index: number;
  readonly value: number;
}
const TEXTS = ['good film', 'the film was not very good !', 'bad'];
const IDS = TEXTS.map((text) => [2, ...text.split(' ').map((word) => VOCABULARY.indexOf(word)), 3]);

/** The token vectors of a text by the graph that gives nothing else. */
async function states(t: Parameters<typeof openTiny>[0]): Promise<number[][][]> {
  const plain = await openTiny(t, { task: 'embeddings' });
  const replies = await Promise.all(TEXTS.map((text) => plain.answer(json(text, { all: true }))));
  return replies.map((reply) => (reply as { embedding: number[][] }).embedding);
}

function closeTo(given: readonly Pair[], wanted: ReadonlyMap<number, number>): void {
  assert.deepEqual(
    given.map(({ index }) => index),
    [...wanted.keys()].sort((one, other) => one - other),
  );
  for (const { index, value } of given) assert.ok(Math.abs(value - (wanted.get(index) ?? NaN)) < 1e-5);
}

const dot = (one: readonly number[], other: ArrayLike<number>, from: number): number =>
  one.reduce((sum, value, at) => sum + value * (other[from + at] ?? NaN), 0);

const SPLADE = {
  modules: {
    name: 'modules.json',
    content: [
      { type: 'sentence_transformers.sparse_encoder.models.MLMTransformer', path: '' },
      { type: 'sentence_transformers.sparse_encoder.models.SpladePooling', path: '1_SpladePooling' },
    ],
  },
};

test('a SPLADE model weighs each word of its vocabulary: the greatest log(1 + relu(logit)) of the tokens', async (t) => {
  const bench = await openTiny(t, { task: 'embeddings', words: true, more: SPLADE });
  const replies = (await bench.answers(TEXTS.map((text) => json(text, { sparse: true })))) as { embedding: Pair[] }[];
  const words = numbers(VOCABULARY.length * SIZE, 1);
  for (const [index, tokens] of (await states(t)).entries()) {
    const wanted = new Map<number, number>();
    for (let word = 0; word < VOCABULARY.length; word += 1) {
      const most = Math.max(...tokens.map((token) => dot(token, words, word * SIZE)));
      if (most > 0) wanted.set(word, Math.log1p(most));
    }
    assert.ok(wanted.size > 0 && wanted.size < VOCABULARY.length);
    closeTo(replies[index]?.embedding ?? [], wanted);
  }
  const dense = (await bench.answer(json('good film', { normalize: false }))) as { embedding: number[] };
  assert.deepEqual(
    dense.embedding.flatMap((value, index) => (value === 0 ? [] : [{ index, value }])),
    replies[0]?.embedding,
  );
});

/** The greatest weight of each token id of a text that is not special. */
function weightsOf(tokens: readonly (readonly number[])[], ids: readonly number[]): Map<number, number> {
  const head = numbers(SIZE, 5);
  const wanted = new Map<number, number>();
  for (const [at, token] of tokens.entries()) {
    const id = ids[at] ?? NaN;
    const weight = dot(token, head, 0);
    const isSpecial = TINY_TOKENIZER.added_tokens.some((one) => one.id === id);
    if (weight > 0 && !isSpecial) wanted.set(id, Math.max(weight, wanted.get(id) ?? 0));
  }
  return wanted;
}

function near(given: readonly number[] | undefined, wanted: readonly number[] | undefined): void {
  assert.equal(given?.length, wanted?.length);
  for (const [place, value] of (given ?? []).entries()) assert.ok(Math.abs(value - (wanted?.[place] ?? NaN)) < 1e-5);
}

test("BGE-M3's heads: a weight for each token of a text, and vectors of all tokens but the first", async (t) => {
  const bench = await openTiny(t, { task: 'embeddings', heads: true });
  const ask = async (parameters: Record<string, unknown>): Promise<unknown[]> => {
    const replies = await bench.answers(TEXTS.map((text) => json(text, parameters)));
    return replies.map((reply) => (reply as { embedding: unknown }).embedding);
  };
  const sparse = (await ask({ sparse: true })) as Pair[][];
  const all = (await ask({ all: true })) as number[][][];
  const dense = (await ask({ normalize: false })) as number[][];
  for (const [index, tokens] of (await states(t)).entries()) {
    closeTo(sparse[index] ?? [], weightsOf(tokens, IDS[index] ?? []));
    near(all[index]?.flat(), tokens.slice(1).flat());
    near(dense[index], tokens[0]);
  }
  assert.ok(sparse.flat().length > 0);
});

test('a model without sparse vectors refuses them, and another SpladePooling is refused at load', async (t) => {
  const bench = await openTiny(t, { task: 'embeddings' });
  assert.throws(() => bench.task.prepare(json('good', { sparse: true })), refusal('BAD_REQUEST', /not a splade model/));
  const pooling = { name: 'pooling.json', content: { pooling_strategy: 'sum' } };
  await assert.rejects(
    openTiny(t, { task: 'embeddings', words: true, more: { ...SPLADE, pooling } }),
    /SpladePooling with sum and relu is not supported/,
  );
  await assert.rejects(openTiny(t, { task: 'embeddings', more: SPLADE }), /no output holds the logits of each token/);
});
