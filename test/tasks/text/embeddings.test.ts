import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { raw, refusal } from '../support.ts';
import { json, ticketOf } from './encoder-bench.ts';
import { openTiny, SIZE } from './tiny-encoder.ts';
import { dot, near, type Embedding } from './vectors.ts';

const word = fc.constantFrom('good', 'bad', 'the film', 'was', 'not very', '!', 'xyz', '東京', '🙂', '', 'a b c d e f');
const someTexts = fc.array(
  fc.array(word, { minLength: 0, maxLength: 12 }).map((words) => words.join(' ')),
  { minLength: 1, maxLength: 7 },
);

for (const padding of ['right', 'left'])
  test(`any mix of lengths gives each text the vector it gets alone, padded on the ${padding}`, async (t) => {
    const { answer, answers } = await openTiny(t, { task: 'embeddings', options: { paddingSide: padding } });
    await fc.assert(
      fc.asyncProperty(someTexts, async (texts) => {
        const together = (await answers(texts.map((text) => json(text)))) as Embedding[];
        for (const [index, text] of texts.entries()) {
          const alone = (await answer(json(text))) as Embedding;
          near(together[index]?.embedding ?? [], alone.embedding, 2e-5);
        }
      }),
      { numRuns: 40 },
    );
  });

test('pooling is what model.json says, else what 1_Pooling says, else the mean', async (t) => {
  const item = json('good film !', { normalize: false });
  const pooling = {
    pooling: { name: 'pooling.json', content: { pooling_mode_lasttoken: true, pooling_mode_mean_tokens: false } },
  };
  const all = await openTiny(t, { task: 'embeddings' });
  const { embedding: tokens } = (await all.answer(json('good film !', { all: true }))) as { embedding: number[][] };
  assert.equal(tokens.length, 5);
  const mean = Array.from({ length: SIZE }, (_, at) => tokens.reduce((sum, token) => sum + (token[at] ?? NaN), 0) / 5);
  near(((await all.answer(item)) as Embedding).embedding, mean, 1e-6);
  const last = await openTiny(t, { task: 'embeddings', more: pooling });
  near(((await last.answer(item)) as Embedding).embedding, tokens[4] ?? [], 1e-6);
  const cls = await openTiny(t, { task: 'embeddings', more: pooling, options: { pooling: 'cls' } });
  near(((await cls.answer(item)) as Embedding).embedding, tokens[0] ?? [], 1e-6);
  const most = await openTiny(t, { task: 'embeddings', options: { pooling: 'max' } });
  const greatest = Array.from({ length: SIZE }, (_, at) => Math.max(...tokens.map((token) => token[at] ?? NaN)));
  near(((await most.answer(item)) as Embedding).embedding, greatest, 1e-6);
});

test("the graph's own sentence vector is used unless model.json names a pooling", async (t) => {
  const item = json('good film', { normalize: false });
  const own = await openTiny(t, { task: 'embeddings', sentence: true });
  const cls = await openTiny(t, { task: 'embeddings', sentence: true, options: { pooling: 'cls' } });
  const first = ((await cls.answer(item)) as Embedding).embedding;
  near(
    ((await own.answer(item)) as Embedding).embedding,
    first.map((value) => 2 * value),
    1e-6,
  );
  const { embedding } = (await own.answer(json('good film', { all: true }))) as { embedding: number[][] };
  near(embedding[0] ?? [], first, 1e-6);
});

test('one run serves texts that want one vector and texts that want all of them', async (t) => {
  for (const sentence of [false, true]) {
    const { answer, answers } = await openTiny(t, { task: 'embeddings', sentence });
    const items = [
      json('good film'),
      json('the film was not very good', { all: true }),
      json('bad', { dimensions: 3 }),
    ];
    const [one, all, short] = await answers(items);
    near((one as Embedding).embedding, ((await answer(json('good film'))) as Embedding).embedding, 2e-5);
    assert.equal((all as { embedding: number[][] }).embedding.length, 8);
    assert.equal((short as Embedding).embedding.length, 3);
  }
});

test('dimensions cuts the vector before it is normalised', async (t) => {
  const { answer, task } = await openTiny(t, { task: 'embeddings' });
  const whole = ((await answer(json('good film', { normalize: false }))) as Embedding).embedding.slice(0, 4);
  const size = Math.sqrt(dot(whole, whole));
  const { embedding } = (await answer(json('good film', { dimensions: 4 }))) as Embedding;
  near(
    embedding,
    whole.map((value) => value / size),
    1e-6,
  );
  assert.throws(() => task.prepare(json('good', { dimensions: SIZE + 1 })), {
    code: 'INVALID_INPUT',
    param: 'dimensions',
    message: /at most 6/,
  });
  assert.throws(() => task.prepare(json('good', { dimensions: 0 })), refusal('INVALID_INPUT', /"dimensions"/));
});

test('base64 is the little-endian float32 of the same vector', async (t) => {
  const { answer } = await openTiny(t, { task: 'embeddings' });
  const { embedding } = (await answer(json('good film'))) as Embedding;
  const { embedding: text } = (await answer(json('good film', { encoding: 'base64' }))) as { embedding: string };
  const bytes = Buffer.from(text, 'base64');
  assert.equal(bytes.length, 4 * SIZE);
  near(
    Array.from({ length: SIZE }, (_, at) => bytes.readFloatLE(4 * at)),
    embedding,
    1e-7,
  );
});

test('token ids are refused, with the setting that mends it, unless model.json accepts them', async (t) => {
  const { task } = await openTiny(t, { task: 'embeddings' });
  for (const value of [[2, 4, 7, 3], { text: [2, 4, 7, 3] }])
    assert.throws(
      () => task.prepare(json(value)),
      refusal('INVALID_INPUT', /check_embedding_ctx_length=False.*"acceptTokenIds": true/),
    );
});

test('an item is a text, an object, token ids where they are accepted, or a raw body', async (t) => {
  const { answer, task } = await openTiny(t, { task: 'embeddings', options: { acceptTokenIds: true } });
  const expected = await answer(json('good film'));
  assert.deepEqual(await answer(json({ text: 'good film' })), expected);
  assert.deepEqual(await answer(json([2, 4, 7, 3])), expected);
  assert.deepEqual(await answer(raw('text/plain', Buffer.from('good film'))), expected);
  assert.throws(() => task.prepare(json([2, 9999])), refusal('INVALID_INPUT', /no token 9999/));
  assert.throws(() => task.prepare(json([2, 1.5])), refusal('INVALID_INPUT', /no token 1\.5/));
  assert.throws(() => task.prepare(json([])), refusal('INVALID_INPUT', /takes a text/));
  assert.throws(() => task.prepare(json({ texts: 'a' })), refusal('INVALID_INPUT', /takes a text/));
  assert.throws(() => task.prepare(json(null)), refusal('INVALID_INPUT'));
  assert.throws(() => task.prepare(raw('image/png', Buffer.from('x'))), refusal('UNSUPPORTED_MEDIA_TYPE'));
  assert.throws(() => task.prepare(raw('text/plain', Uint8Array.of(0xff))), refusal('BAD_REQUEST'));
});

test('empty texts, NULs, halves of emoji and unknown letters have vectors', async (t) => {
  const { answers } = await openTiny(t, { task: 'embeddings' });
  const texts = ['', '\u0000', '\ud83d', 'a\udc00b', '🙂', '\u2028', 'ß'];
  for (const result of (await answers(texts.map((text) => json(text)))) as Embedding[]) {
    assert.ok(result.tokens >= 2);
    assert.ok(result.embedding.every(Number.isFinite));
  }
});

test('a prompt goes before the text: the one asked for, else the usual one; names that are not there are refused', async (t) => {
  const prompts = { query: 'good ', document: 'the film ' };
  const more = {
    sentenceTransformers: { name: 'st.json', content: { prompts, default_prompt_name: null } },
  };
  const plain = await openTiny(t, { task: 'embeddings' });
  const prompted = await openTiny(t, { task: 'embeddings', more });
  const expected = await plain.answer(json('good bad'));
  assert.deepEqual(await prompted.answer(json('bad', { prompt_name: 'query' })), expected);
  assert.deepEqual(await prompted.answer(json('bad')), await plain.answer(json('bad')));
  const usual = await openTiny(t, { task: 'embeddings', more, options: { defaultPromptName: 'query' } });
  assert.deepEqual(await usual.answer(json('bad')), expected);
  assert.throws(
    () => prompted.task.prepare(json('bad', { prompt_name: 'other' })),
    refusal('INVALID_INPUT', /no prompt "other"; there are query, document/),
  );
  assert.throws(
    () => plain.task.prepare(json('bad', { prompt_name: 'constructor' })),
    refusal('INVALID_INPUT', /has none/),
  );
  const withIds = await openTiny(t, { task: 'embeddings', more, options: { acceptTokenIds: true } });
  assert.throws(
    () => withIds.task.prepare(json([2, 3], { prompt_name: 'query' })),
    refusal('INVALID_INPUT', /prompt_name goes with a text/),
  );
  await assert.rejects(openTiny(t, { task: 'embeddings', options: { defaultPromptName: 'x' } }), /no prompt named x/);
});

test('parameters that are unknown or of another type are refused by name; null is absent', async (t) => {
  const { task, answer } = await openTiny(t, { task: 'embeddings' });
  for (const [name, value] of [
    ['normalise', true],
    ['normalize', 'yes'],
    ['truncate', 1],
    ['truncation_direction', 'up'],
    ['encoding', 'hex'],
    ['dimensions', 1.5],
  ] as const)
    assert.throws(
      () => task.prepare(json('good', { [name]: value })),
      refusal('INVALID_INPUT', new RegExp(`"${name}"`)),
    );
  assert.deepEqual(await answer(json('good', { truncate: null, dimensions: null })), await answer(json('good')));
});

test('a ticket costs its padded length and rides with texts of its bucket', async (t) => {
  const { task } = await openTiny(t, { task: 'embeddings' });
  for (const [words, bucket] of [
    [0, 8],
    [6, 8],
    [7, 12],
    [11, 16],
    [17, 24],
    [28, 32],
    [300, 32],
  ] as const) {
    const { cost, bucket: key } = await task.prepare(json('good '.repeat(words)));
    assert.deepEqual([cost, key], [bucket, String(bucket)]);
  }
});

test('the longest text is the shortest limit of all that the files name', async (t) => {
  const length = async (model: object) => {
    const { task } = await openTiny(t, { task: 'embeddings', ...model });
    return ((await task.prepare(json('good '.repeat(100)))).memo as { tokens: number }).tokens;
  };
  assert.equal(await length({}), 32);
  assert.equal(await length({ tokenizerConfig: { model_max_length: 1e30 } }), 32);
  assert.equal(await length({ tokenizerConfig: { model_max_length: 20 } }), 20);
  assert.equal(await length({ more: { sentenceBert: { name: 's.json', content: { max_seq_length: 10 } } } }), 10);
  assert.equal(await length({ config: { model_type: 'roberta', max_position_embeddings: 32, pad_token_id: 1 } }), 30);
  assert.equal(await length({ options: { maxLength: 5 } }), 5);
  // sentence-transformers sets the tokenizer's length to its own.
  const sentenceBert = { name: 's.json', content: { max_seq_length: 25 } };
  assert.equal(await length({ tokenizerConfig: { model_max_length: 20 }, more: { sentenceBert } }), 25);
});

test('a folder that cannot be served says why', async (t) => {
  const tiny = (model: object) => openTiny(t, { task: 'embeddings', ...model });
  await assert.rejects(
    tiny({ classes: 2, options: { pooling: 'mean' } }),
    /no output holds a vector a token; the graph has logits/,
  );
  await assert.rejects(tiny({ options: { output: 'x' } }), /no float output x/);
  await assert.rejects(tiny({ options: { polling: 'mean' } }), /polling/);
  await assert.rejects(
    tiny({ more: { pooling: { name: 'p.json', content: { pooling_mode: ['mean', 'median'] } } } }),
    /pooling_mode median is not known/,
  );
  await assert.rejects(
    tiny({
      more: {
        pooling: { name: 'p.json', content: { pooling_mode: 'mean', include_prompt: false } },
        sentenceTransformers: { name: 's.json', content: { prompts: { query: 'good ' } } },
      },
    }),
    /leaves the prompt out/,
  );
  const dense = {
    name: 'modules.json',
    content: [{ idx: 2, type: 'sentence_transformers.models.Dense', path: '2_Dense' }],
  };
  const pooling = { name: 'p.json', content: { pooling_mode_mean_tokens: true } };
  await assert.rejects(
    tiny({ more: { pooling, modules: dense } }),
    /modules\.json has a Dense, which this server does not compute, and the graph has no output sentence_embedding/,
  );
  await assert.doesNotReject(tiny({ more: { pooling, modules: dense }, sentence: true }));
});

test('logits are no vectors, whatever their shape', async (t) => {
  await assert.rejects(openTiny(t, { task: 'embeddings', classes: 9 }), /no output holds a vector a token/);
});

test('calls tokenise, decode and tell what the model is', async (t) => {
  const { task } = await openTiny(t, {
    task: 'embeddings',
    more: { sentenceTransformers: { name: 's.json', content: { prompts: { q: 'good ' } } } },
  });
  const call = (name: string, argument: unknown) => task.calls?.[name]?.(argument as never);
  assert.deepEqual(call('tokenize', { texts: ['film xy'], addSpecialTokens: true, promptName: 'q' }), [
    [
      { id: 2, text: '[CLS]', special: true, start: null, stop: null },
      { id: 4, text: 'good', special: false, start: 0, stop: 4 },
      { id: 7, text: 'film', special: false, start: 5, stop: 9 },
      { id: 36, text: 'x', special: false, start: 10, stop: 11 },
      { id: 63, text: 'y', special: false, start: 11, stop: 12 },
      { id: 3, text: '[SEP]', special: true, start: null, stop: null },
    ],
  ]);
  const placed = call('tokenize', { texts: ['🚗 é film'], addSpecialTokens: false }) as readonly { text: string }[][];
  assert.deepEqual(placed[0]?.at(-1), { id: 7, text: 'film', special: false, start: 8, stop: 12 });
  assert.deepEqual(placed[0][0], { ...placed[0][0], text: '🚗', start: 0, stop: 4 });
  assert.deepEqual(call('decode', { ids: [[2, 4, 7, 36, 63, 3], []], skipSpecialTokens: true }), ['good film xy', '']);
  assert.deepEqual(call('info', undefined), {
    maxInputLength: 32,
    pooling: 'mean',
    dimensions: SIZE,
    prompts: { q: 'good ' },
  });
  assert.throws(() => call('tokenize', { texts: ['a'.repeat(100_001)], addSpecialTokens: true }), refusal('TOO_LARGE'));
});

test('a ticket that the graph refuses fails alone', async (t) => {
  const { task, program } = await openTiny(t, { task: 'embeddings', options: { acceptTokenIds: true } });
  const good = await task.prepare(json('good'));
  const bad = await task.prepare(json([2, 4, 3]));
  const ids = bad.inputs['input_ids'];
  assert.ok(ids !== undefined && ids.datatype === 'INT32');
  new DataView(ids.data.buffer, ids.data.byteOffset).setInt32(4, 1_000_000, true);
  const { outcomes } = await program.run([
    ticketOf(program, good, 1),
    ticketOf(program, bad, 2),
    ticketOf(program, good, 3),
  ]);
  assert.deepEqual(
    outcomes.map(({ ok }) => ok),
    [true, false, true],
  );
});
