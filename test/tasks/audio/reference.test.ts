import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClassScore } from '../../../src/tasks/class-scores.ts';
import type { SoundFeatures } from '../../../src/tasks/audio/features.ts';
import { relativeError } from '../image/reference.ts';
import { refusal } from '../support.ts';
import { decodeAudio } from '../transcription/support.ts';
import { openReference, sound, wav } from './reference.ts';

/** What transformers makes of the sound. */
interface Judged {
  readonly shape: readonly number[];
  readonly values: readonly number[];
  readonly scores: readonly ClassScore[];
}

for (const name of [
  'ast_classification',
  'ast_cut_classification',
  'wav2vec2_classification',
  'whisper_classification',
])
  test(`${name}: features and scores are those of transformers`, async (t) => {
    const model = await openReference(name);
    t.after(() => model.program.release());
    const expected = model.expected as unknown as Judged;
    assert.equal(model.taskName, 'audio-classification');
    const pcm = await decodeAudio(await sound());
    const call = model.task.calls?.['features'];
    const { shape, values } = call?.({ pcm, start: 0, end: pcm.samples } as never) as SoundFeatures;
    assert.deepEqual([1, ...shape], expected.shape);
    const step = Math.max(1, Math.floor(values.length / 300));
    for (const [at, value] of expected.values.entries())
      assert.ok(
        Math.abs((values[at * step] ?? NaN) - value) < 2e-4,
        `${values[at * step]} for ${value} at ${at * step}`,
      );
    const scores = (await model.answer(wav(await sound(), { top_k: 0 }))) as ClassScore[];
    assert.deepEqual(
      scores.map(({ label }) => label),
      expected.scores.map(({ label }) => label),
    );
    for (const [at, { score }] of scores.entries())
      assert.ok(Math.abs(score - (expected.scores[at]?.score ?? NaN)) < 1e-3, `${score}`);
  });

test('a request chooses how many classes, and how they are scored', async (t) => {
  const model = await openReference('wav2vec2_classification');
  t.after(() => model.program.release());
  const bytes = await sound();
  const two = (await model.answer(wav(bytes, { top_k: 2 }))) as ClassScore[];
  assert.equal(two.length, 2);
  const all = (await model.answer(wav(bytes))) as ClassScore[];
  assert.ok(Math.abs(all.reduce((sum, { score }) => sum + score, 0) - 1) < 1e-5);
  const apart = (await model.answer(wav(bytes, { function_to_apply: 'sigmoid' }))) as ClassScore[];
  assert.ok(Math.abs(apart.reduce((sum, { score }) => sum + score, 0) - 1) > 1e-3);
  await assert.rejects(model.answer(wav(bytes, { topk: 2 })), refusal('INVALID_INPUT', /top_k/));
});

test('what is too long, or no sound, is refused', async (t) => {
  const model = await openReference('wav2vec2_classification', { maxSeconds: 1 });
  t.after(() => model.program.release());
  await assert.rejects(model.answer(wav(await sound())), refusal('TOO_LARGE', /longer than the 1 s/));
  await assert.rejects(model.answer(wav(new Uint8Array(0))), refusal('INVALID_INPUT', /empty/));
  await assert.rejects(model.answer({ kind: 'json', value: 5 }), refusal('INVALID_INPUT', /takes audio/));
});

for (const [name, least, told] of [
  ['wav2vec2_classification', 400, '25 ms'],
  ['hubert_model', 400, '25 ms'],
  ['wavlm_xvector', 3280, '205 ms'],
  ['ast_classification', 400, '25 ms'],
  ['whisper_classification', 1, undefined],
  ['clap', 1, undefined],
] as const)
  test(`${name}: the shortest sound that transformers takes is taken, a shorter one refused before it is run`, async (t) => {
    const model = await openReference(name);
    t.after(() => model.program.release());
    const answer = JSON.stringify(await model.answer(wav(await sound(least))));
    assert.doesNotMatch(answer, /null/);
    if (told === undefined) return;
    const short = refusal('INVALID_INPUT', new RegExp(`too short: it has .* ms, and this model needs ${told}`));
    await assert.rejects(model.answer(wav(await sound(least - 1))), short);
    await assert.rejects(model.answer(wav(await sound(1))), short);
  });

test('a model that hears the beginning takes longer sounds', async (t) => {
  const model = await openReference('ast_cut_classification');
  t.after(() => model.program.release());
  const whole = await model.answer(wav(await sound()));
  const beginning = await model.answer(wav(await sound(22_000)));
  assert.deepEqual(whole, beginning);
});

test('vectors of sounds are those of transformers', async (t) => {
  for (const [name, options, output] of [
    ['hubert_model', {}, 'last_hidden_state'],
    ['wavlm_xvector', {}, 'embeddings'],
    ['wavlm_xvector', { output: 'logits' }, 'logits'],
  ] as const) {
    const model = await openReference(name, options);
    t.after(() => model.program.release());
    assert.equal(model.taskName, 'audio-feature-extraction');
    const { embedding } = (await model.answer(wav(await sound(), { normalize: false }))) as { embedding: number[] };
    const error = relativeError(embedding, model.expected[output] as number[]);
    assert.ok(error < 1e-3, `${name} ${output}: ${error}`);
    const unit = (await model.answer(wav(await sound()))) as { embedding: number[] };
    assert.ok(Math.abs(Math.hypot(...unit.embedding) - 1) < 1e-5);
  }
});
