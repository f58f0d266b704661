import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { raw, refusal } from '../support.ts';
import { json, type EncoderBench } from './encoder-bench.ts';
import { near } from './vectors.ts';
import { openTiny, type TinyModel } from './tiny-encoder.ts';

interface Scored {
  readonly label: string;
  readonly score: number;
}

const LABELS = { 0: 'BAD', 1: 'GOOD', 2: 'NEITHER' };

const open = (t: Parameters<typeof openTiny>[0], more: Partial<TinyModel> = {}) =>
  openTiny(t, { task: 'text-classification', classes: 3, config: { id2label: LABELS }, ...more });

/** Logits by label. */
async function logits(bench: EncoderBench, value: unknown): Promise<Map<string, number>> {
  const scored = (await bench.answer(json(value, { raw_scores: true }))) as Scored[];
  return new Map(scored.map(({ label, score }) => [label, score]));
}

test('scores are the softmax of the logits, named by config.json, best first', async (t) => {
  const bench = await open(t);
  const raws = await logits(bench, 'good film');
  const scored = (await bench.answer(json('good film'))) as Scored[];
  assert.deepEqual(scored.map(({ label }) => label).sort(), ['BAD', 'GOOD', 'NEITHER']);
  const sum = [...raws.values()].reduce((total, logit) => total + Math.exp(logit), 0);
  for (const { label, score } of scored) assert.ok(Math.abs(score - Math.exp(raws.get(label) ?? NaN) / sum) < 1e-6);
  assert.ok(scored.every(({ score }, index) => index === 0 || score <= (scored[index - 1]?.score ?? NaN)));
});

test('several labels at once and single logits have a sigmoid each, regression has none; model.json wins', async (t) => {
  const sigmoid = (logit: number) => 1 / (1 + Math.exp(-logit));
  const softmax = (): number => 1;
  for (const [config, classes, options, expected] of [
    [{ problem_type: 'multi_label_classification', id2label: LABELS }, 3, {}, sigmoid],
    [{}, 1, {}, sigmoid],
    [{ problem_type: 'regression' }, 1, {}, (logit: number) => logit],
    [{ problem_type: 'single_label_classification' }, 1, { activation: 'softmax' }, softmax],
  ] as const) {
    const bench = await open(t, { config, classes, options });
    const raws = await logits(bench, 'bad film');
    const scored = (await bench.answer(json('bad film'))) as Scored[];
    assert.equal(scored.length, classes);
    for (const { label, score } of scored) assert.ok(Math.abs(score - expected(raws.get(label) ?? NaN)) < 1e-6);
  }
});

test('top_k says how many classes come back, 0 all; topK of model.json where the request does not', async (t) => {
  const bench = await open(t, { options: { topK: 1 } });
  const count = async (parameters?: Record<string, unknown>) =>
    ((await bench.answer(json('good', parameters))) as Scored[]).length;
  assert.equal(await count(), 1);
  assert.equal(await count({ top_k: 2 }), 2);
  assert.equal(await count({ top_k: 0 }), 3);
  assert.equal(await count({ top_k: 99 }), 3);
  assert.throws(() => bench.task.prepare(json('good', { top_k: -1 })), refusal('INVALID_INPUT', /"top_k"/));
  assert.throws(() => bench.task.prepare(json('good', { topk: 1 })), refusal('INVALID_INPUT', /"topk"/));
});

test('a pair is judged together: its second text has its own type, and order matters', async (t) => {
  const bench = await open(t);
  const pair = await bench.answer(json(['good film', 'bad']));
  assert.deepEqual(await bench.answer(json({ text: 'good film', text_pair: 'bad' })), pair);
  assert.notDeepEqual(await bench.answer(json(['bad', 'good film'])), pair);
  assert.notDeepEqual(await bench.answer(json('good film [SEP] bad')), pair);
  const { inputs, parameters } = await bench.task.prepare(json(['good film', 'bad']));
  const ids = inputs['input_ids'];
  assert.ok(ids !== undefined && ids.datatype === 'INT32');
  assert.deepEqual([...new Int32Array(ids.data.buffer)], [2, 4, 7, 3, 5, 3]);
  assert.deepEqual(parameters, { secondFrom: 4 });
});

test('an item is a text, a text alone in an array or object, or a raw body', async (t) => {
  const bench = await open(t);
  const expected = await bench.answer(json('good'));
  for (const item of [
    json(['good']),
    json({ text: 'good' }),
    json({ text: 'good', text_pair: null }),
    raw('text/plain', Buffer.from('good')),
  ])
    assert.deepEqual(await bench.answer(item), expected);
  for (const value of [
    1,
    null,
    [],
    ['a', 'b', 'c'],
    ['a', 1],
    { text: 1 },
    { text: 'a', text_pair: 1 },
    { query: 'a' },
  ])
    assert.throws(() => bench.task.prepare(json(value)), refusal('INVALID_INPUT'));
});

test('of a pair that is too long the longer text is cut first', async (t) => {
  const bench = await open(t, { options: { maxLength: 10 } });
  const sizes = async (one: number, other: number, parameters = {}) => {
    const item = json(['good '.repeat(one), 'bad '.repeat(other)], parameters);
    const ids = (await bench.task.prepare(item)).inputs['input_ids'];
    assert.ok(ids !== undefined && ids.datatype === 'INT32');
    const all = [...new Int32Array(ids.data.buffer)];
    return [all.filter((id) => id === 4).length, all.filter((id) => id === 5).length];
  };
  // What Hugging Face's tokenizers give at the same length.
  for (const [one, other, kept] of [
    [3, 20, [3, 4]],
    [20, 3, [4, 3]],
    [20, 20, [3, 4]],
    [5, 3, [4, 3]],
    [4, 4, [3, 4]],
    [1, 30, [1, 6]],
    [30, 1, [6, 1]],
    [3, 4, [3, 4]],
  ] as const)
    assert.deepEqual(await sizes(one, other), kept);
  await assert.rejects(
    sizes(20, 3, { truncate: false }),
    refusal('INVALID_INPUT', /must have less than 10 tokens\. Given: 26/),
  );
});

const words = fc
  .array(fc.constantFrom('good', 'bad', 'the', 'film', 'xyz', '!'), { maxLength: 12 })
  .map((list) => list.join(' '));

test('texts and pairs of any lengths in one batch score as each alone', async (t) => {
  const bench = await open(t);
  const values = fc.array(fc.oneof(words, fc.tuple(words, words)), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(values, async (items) => {
      const together = (await bench.answers(items.map((value) => json(value, { raw_scores: true })))) as Scored[][];
      for (const [index, value] of items.entries()) {
        const alone = await logits(bench, value);
        for (const { label, score } of together[index] ?? [])
          assert.ok(Math.abs(score - (alone.get(label) ?? NaN)) < 2e-5);
      }
    }),
    { numRuns: 40 },
  );
});

test('labels of model.json go before those of config.json; without any, classes are numbered', async (t) => {
  const labelsOf = async (more: Partial<TinyModel>) =>
    ((await (await open(t, more)).answer(json('good'))) as Scored[]).map(({ label }) => label).sort();
  assert.deepEqual(await labelsOf({ labels: ['a', 'b', 'c'] }), ['a', 'b', 'c']);
  assert.deepEqual(await labelsOf({ config: {} }), ['LABEL_0', 'LABEL_1', 'LABEL_2']);
  await assert.rejects(open(t, { labels: ['a'] }), /1 labels for 3 classes/);
  await assert.rejects(open(t, { config: { id2label: { 0: 'a', 2: 'b', 3: 'c' } } }), /does not name each class/);
});

test('info has the labels by number', async (t) => {
  const { task } = await open(t);
  assert.deepEqual(task.calls?.['info']?.(undefined as never), { maxInputLength: 32, id2label: LABELS });
});

test('a reranker may be asked like a classifier of one class, as in TEI', async (t) => {
  const { answer, task } = await openTiny(t, { task: 'reranking', classes: 1, config: { id2label: { 0: 'FITS' } } });
  const { score } = (await answer(json({ query: 'good', text: 'film' }))) as { score: number };
  for (const pair of [['good', 'film'], { query: 'good', text: 'film' }])
    assert.deepEqual(await answer(json(pair, { top_k: 0 })), [{ label: 'FITS', score }]);
  const [alone] = (await answer(json('good film', { top_k: 0 }))) as Scored[];
  assert.equal(alone?.label, 'FITS');
  assert.deepEqual(task.calls?.['info']?.(undefined as never), { maxInputLength: 32, id2label: { 0: 'FITS' } });
});

test('max_tokens cuts the text alone, not the query, and refuses where cutting is off', async (t) => {
  const { answer, task } = await openTiny(t, { task: 'reranking', classes: 1 });
  const query = 'good film ?';
  const whole = (await answer(json({ query, text: 'very good film' }))) as { tokens: number };
  const cut = (await answer(json({ query, text: 'very good film' }, { max_tokens: 2 }))) as { tokens: number };
  assert.equal(cut.tokens, whole.tokens - 1);
  assert.deepEqual(cut, await answer(json({ query, text: 'very good' })));
  assert.throws(
    () => task.prepare(json({ query, text: 'very good film' }, { max_tokens: 2, truncate: false })),
    refusal('INVALID_INPUT', /less than 5 tokens\. Given: 6/),
  );
});

test('a reranker scores a text for a query: a sigmoid, or the bare logit', async (t) => {
  const { answer, answers, task } = await openTiny(t, { task: 'reranking', classes: 1 });
  const item = { query: 'good film ?', text: 'the film was very good' };
  const { score: logit } = (await answer(json(item, { raw_scores: true }))) as { score: number };
  const scored = (await answer(json(item))) as { score: number; tokens: number };
  assert.ok(Math.abs(scored.score - 1 / (1 + Math.exp(-logit))) < 1e-6);
  assert.equal(scored.tokens, 11);
  const [, again] = await answers([json({ query: '', text: '' }), json(item)]);
  assert.ok(Math.abs((again as { score: number }).score - scored.score) < 2e-5);
  for (const value of ['text', null, { query: 'a' }, { query: 'a', text: 1 }, ['a', 'b']])
    assert.throws(() => task.prepare(json(value)), refusal('INVALID_INPUT', /"query"/));
  assert.throws(() => task.prepare(json(item, { top_n: 1 })), refusal('INVALID_INPUT', /"top_n"/));
});

test('a graph of several scores is no reranker, one of token vectors no classifier', async (t) => {
  await assert.rejects(openTiny(t, { task: 'reranking', classes: 2 }), /one score, not of 2/);
  await assert.rejects(openTiny(t, { task: 'text-classification' }), /no output holds a score a class/);
});

test('a score is what the library of the model gives: its config names the activation', async (t) => {
  const item = { query: 'good', text: 'the film' };
  const scoreOf = async (config: object, options: object = {}, parameters: object = {}) => {
    const { answer } = await openTiny(t, {
      task: 'reranking',
      classes: 1,
      config: { ...config },
      options: { ...options },
    });
    return ((await answer(json(item, { ...parameters }))) as { score: number }).score;
  };
  const logit = await scoreOf({}, {}, { raw_scores: true });
  const sigmoid = 1 / (1 + Math.exp(-logit));
  const identity = { activation_fn: 'torch.nn.modules.linear.Identity' };
  const cases: [number, object, object?, object?][] = [
    [sigmoid, {}],
    [sigmoid, { sentence_transformers: { activation_fn: 'torch.nn.modules.activation.Sigmoid' } }],
    [logit, { sentence_transformers: identity }],
    [logit, { sbert_ce_default_activation_function: 'torch.nn.modules.linear.Identity' }],
    [logit, { problem_type: 'regression' }],
    [sigmoid, { problem_type: 'regression' }, { activation: 'sigmoid' }],
    // As TEI has it.
    [sigmoid, { sentence_transformers: identity }, {}, { raw_scores: false }],
  ];
  for (const [expected, config, options, parameters] of cases)
    near([await scoreOf(config, options, parameters)], [expected], 1e-6);
  await assert.rejects(
    scoreOf({ sentence_transformers: { activation_fn: 'torch.nn.Tanh' } }),
    /activation torch\.nn\.Tanh/,
  );
});
