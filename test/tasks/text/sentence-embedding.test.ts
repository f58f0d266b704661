import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { sharedModel } from '../../shared-models.ts';
import { refusal } from '../support.ts';
import { json, openBench } from './encoder-bench.ts';
import { cosine, dot, near, type Embedding } from './vectors.ts';

/** The real sentence-embedding model. */

interface Reference {
  readonly items: readonly {
    readonly text: string;
    readonly input_ids: readonly number[];
    readonly embedding: readonly number[];
  }[];
}

const folder = sharedModel('sentence-embedding');
const skip = folder === undefined ? 'the shared models are not here' : false;

function openShared(t: TestContext, options = {}) {
  assert.ok(folder !== undefined);
  const file = (name: string) => path.join(folder, name);
  return openBench(t, {
    task: 'embeddings',
    folder,
    weights: file('onnx/model_quantized.onnx'),
    files: {
      config: file('config.json'),
      tokenizer: file('tokenizer.json'),
      tokenizerConfig: file('tokenizer_config.json'),
    },
    options,
  });
}

function reference(): Reference {
  assert.ok(folder !== undefined);
  return JSON.parse(readFileSync(path.join(folder, 'reference.json'), 'utf8')) as Reference;
}

test(
  'embeddings of a real model agree with its reference, alone and in one batch of all lengths',
  { skip },
  async (t) => {
    const { answer, answers } = await openShared(t);
    const { items } = reference();
    assert.ok(items.length >= 14);
    const together = (await answers(items.map(({ text }) => json(text)))) as Embedding[];
    for (const [index, { text, input_ids: ids, embedding }] of items.entries()) {
      const alone = (await answer(json(text))) as Embedding;
      assert.equal(alone.tokens, ids.length);
      assert.ok(cosine(alone.embedding, embedding) > 0.9999, `cosine of ${JSON.stringify(text.slice(0, 30))}`);
      assert.ok(Math.abs(dot(alone.embedding, alone.embedding) - 1) < 1e-5);
      near(together[index]?.embedding ?? [], alone.embedding, 2e-5);
    }
  },
);

test('a text longer than the model takes is cut, or refused where cutting is switched off', { skip }, async (t) => {
  const { answer, task } = await openShared(t);
  const words = Array.from({ length: 3000 }, (_, index) => (index % 2 === 0 ? 'guitar' : 'market'));
  const long = words.join(' ');
  const cut = (await answer(json(long))) as Embedding;
  assert.equal(cut.tokens, 512);
  const first = (await answer(json(words.slice(0, 510).join(' ')))) as Embedding;
  near(cut.embedding, first.embedding, 1e-6);
  const left = (await answer(json(long, { truncation_direction: 'Left' }))) as Embedding;
  const last = (await answer(json(words.slice(-510).join(' ')))) as Embedding;
  near(left.embedding, last.embedding, 1e-6);
  assert.throws(
    () => task.prepare(json(long, { truncate: false })),
    refusal('INVALID_INPUT', /^`inputs` must have less than 512 tokens\. Given: 3002$/),
  );
});

test(
  'a text of a megabyte is cheap to cut, and refused if it would have to be tokenised whole',
  { skip },
  async (t) => {
    const { task } = await openShared(t);
    const long = 'guitar '.repeat(150_000);
    assert.ok(!task.isLight(json(long)));
    assert.equal(((await task.prepare(json(long))).memo as { tokens: number }).tokens, 512);
    assert.throws(() => task.prepare(json(long, { truncate: false })), refusal('TOO_LARGE'));
    assert.throws(() => task.prepare(json(' '.repeat(1_000_000))), refusal('TOO_LARGE'));
  },
);
