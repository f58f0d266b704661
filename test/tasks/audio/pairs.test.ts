import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clapSchema, ClapFeatures } from '../../../src/tasks/audio/clap-features.ts';
import type { SoundFeatures } from '../../../src/tasks/audio/features.ts';
import type { ClassScore } from '../../../src/tasks/class-scores.ts';
import { relativeError } from '../image/reference.ts';
import { json, refusal } from '../support.ts';
import { decodeAudio, samplesOf, wavOf } from '../transcription/support.ts';
import { openReference, sound, wav } from './reference.ts';

/** What transformers makes of the sound, taken as if it were at 48 kHz, and of three texts. */
interface Paired {
  readonly shape: readonly number[];
  readonly values: readonly number[];
  readonly scores: readonly ClassScore[];
  readonly audio: readonly number[];
  readonly texts: readonly (readonly number[])[];
}

const LABELS = ['a bell', 'rain on a roof', 'a dog'];

const fast = async (): Promise<Uint8Array> => wavOf(samplesOf(await sound()), 48_000);

test('CLAP: features, vectors and scores of labels are those of transformers', async (t) => {
  const model = await openReference('clap');
  t.after(() => model.program.release());
  const expected = model.expected as unknown as Paired;
  assert.equal(model.taskName, 'zero-shot-audio-classification');
  const pcm = await decodeAudio(await sound());
  const call = model.task.calls?.['features'];
  const { shape, values } = call?.({ pcm, start: 0, end: pcm.samples } as never) as SoundFeatures;
  assert.deepEqual([1, ...shape], expected.shape);
  const step = Math.floor(values.length / 300);
  for (const [at, value] of expected.values.entries())
    assert.ok(Math.abs((values[at * step] ?? NaN) - value) < 1e-3, `${values[at * step]} for ${value} at ${at * step}`);
  const scores = (await model.answer(wav(await fast(), { candidate_labels: LABELS }))) as ClassScore[];
  assert.deepEqual(
    scores.map(({ label }) => label),
    expected.scores.map(({ label }) => label),
  );
  for (const [at, { score }] of scores.entries())
    assert.ok(Math.abs(score - (expected.scores[at]?.score ?? NaN)) < 1e-3, `${score}`);
  const { embedding } = (await model.answer(wav(await fast()))) as { embedding: number[] };
  assert.ok(relativeError(embedding, expected.audio) < 1e-3);
  for (const [at, label] of LABELS.entries()) {
    const text = (await model.answer(json(`This is a sound of ${label}.`))) as { embedding: number[]; tokens: number };
    assert.ok(relativeError(text.embedding, expected.texts[at] ?? []) < 1e-3, label);
    assert.ok(text.tokens > 5);
  }
  await assert.rejects(model.answer(json([1, 2])), refusal('INVALID_INPUT', /a sound or a text, not token ids/));
});

test('shorter sounds are repeated as often as they fit, or filled up with silence', () => {
  const wave = (count: number) => Float32Array.from({ length: count }, (_, at) => Math.sin(at * 0.2));
  const read = (config: object, samples: Float32Array) =>
    new ClapFeatures(clapSchema.parse({ sampling_rate: 16_000, max_length_s: 0.1, ...config })).read(samples).values;
  const twice = Float32Array.from([...wave(600), ...wave(600)]);
  assert.deepEqual(read({}, wave(600)), read({ padding: 'pad' }, twice));
  const cut = Float32Array.from([...twice, ...wave(400)]);
  assert.deepEqual(read({ padding: 'repeat' }, wave(600)), read({}, cut));
  assert.deepEqual(read({}, cut), read({}, Float32Array.from([...cut, 1, 1, 1])));
  assert.throws(() => clapSchema.parse({ truncation: 'fusion' }), /feature fusion/);
});
