import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openReference, sound, wav, type ReferenceModel } from '../../audio/reference.ts';
import { readPcm } from '../../../../src/tasks/transcription/pcm.ts';
import { normalised } from '../../../../src/tasks/transcription/ctc/normalised.ts';
import { SCORES } from '../../../../src/tasks/transcription/ctc/contract.ts';
import { FEATURES, TOKENS } from '../../../../src/tasks/transcription/speech-work.ts';
import type { ServeContext } from '../../../../src/tasks/task.ts';
import { float32, typedView, type Tensor } from '../../../../src/tensors/tensor.ts';
import { refusal } from '../../support.ts';
import { contextOn, decodeAudio, SmallServer, wavOf, type Spoken } from '../support.ts';

/** What transformers makes of a sound. */
interface Written {
  readonly text: string;
  readonly words: readonly { readonly word: string; readonly start: number; readonly end: number }[];
  readonly tokens: readonly number[];
  readonly scores: readonly number[];
  /** Every 997th value that the model is given. */
  readonly values: readonly number[];
}

const MODELS = ['wav2vec2_ctc', 'wav2vec2_group_ctc', 'hubert_ctc', 'wavlm_ctc', 'sew_ctc'];
/** Samples of the shorter sound. */
const PART = 20_000;

async function samplesOf(bytes: Uint8Array): Promise<Float32Array> {
  const pcm = await decodeAudio(bytes);
  return readPcm(pcm, 0, pcm.samples);
}

function numbers(tensor: Tensor | undefined): number[] {
  if (tensor === undefined || tensor.datatype === 'BYTES') throw new Error('there is no tensor');
  return Array.from(typedView(tensor) as Float32Array);
}

/** Tokens and scores of sounds in one run. */
async function run({ lane }: ReferenceModel, sounds: readonly Float32Array[]): Promise<[number[], number[]][]> {
  const works = sounds.map((samples) => ({
    inputs: { [FEATURES]: float32([1, samples.length], samples.slice()) },
    cost: 1,
  }));
  const outputs = await Promise.all(works.map((work) => lane.run(work)));
  return outputs.map((one) => [numbers(one[TOKENS]), numbers(one[SCORES])]);
}

function assertNear(values: readonly number[], expected: readonly number[], what: string): void {
  assert.equal(values.length, expected.length, what);
  for (const [at, value] of values.entries())
    assert.ok(Math.abs(value - (expected[at] ?? NaN)) < 2e-4, `${what}: ${value} for ${expected[at]} at ${at}`);
}

for (const name of MODELS)
  test(`${name}: samples, letters, words and their times are those of transformers`, async (t) => {
    const model = await openReference(name);
    t.after(() => model.program.release());
    const { whole, part } = model.expected as unknown as { whole: Written; part: Written };
    assert.equal(model.taskName, 'transcription');
    const sounds = [normalised(await samplesOf(await sound())), normalised(await samplesOf(await sound(PART)))];
    const [first, second] = sounds as [Float32Array, Float32Array];
    assertNear(
      whole.values.map((_, at) => first[at * 997] ?? NaN),
      whole.values,
      'samples',
    );
    // Side by side, where padding changes nothing, else one after another.
    for (const [at, [tokens, scores]] of (await run(model, [first, second])).entries()) {
      const expected = at === 0 ? whole : part;
      assert.deepEqual(tokens, expected.tokens);
      assertNear(scores, expected.scores, 'scores');
    }
    for (const [bytes, expected] of [
      [await sound(), whole],
      [await sound(PART), part],
    ] as const) {
      const reply = (await model.answer(wav(bytes, { timestamps: true, word_timestamps: true }))) as Spoken;
      // Between two spaces nothing was said.
      const text = expected.text.replaceAll(/ +/g, ' ');
      assert.equal(reply.text, text);
      assert.ok(reply.text.length > 10);
      assert.deepEqual(
        reply.words,
        expected.words.map(({ word, start, end }) => ({ word, start: rounded(start), end: rounded(end) })),
      );
      assert.equal(reply.words_from, 'frames');
      assert.equal(reply.segments.map(({ text }) => text).join(' '), text);
    }
  });

function rounded(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}

test('padded rows share a run only behind a mask, and only where no layer looks at all of the time', async (t) => {
  for (const [name, batchable] of [
    ['wav2vec2_ctc', true],
    ['wav2vec2_group_ctc', false],
  ] as const) {
    const model = await openReference(name);
    t.after(() => model.program.release());
    assert.equal(model.program.description.signature.batchable, batchable, name);
  }
});

test('long audio is cut in pauses and put together, and what is told live is what comes at the end', async (t) => {
  const model = await openReference('wav2vec2_ctc');
  t.after(() => model.program.release());
  const server = new SmallServer(model.task, model.lane);
  const one = await samplesOf(await sound());
  const pause = new Float32Array(16_000);
  const clip = Int16Array.from([...one, ...pause], (value) => Math.round(value * 32_768));
  const long = new Int16Array(clip.length * 25);
  for (let at = 0; at < 25; at += 1) long.set(clip, at * clip.length);
  model.lane.sizes.length = 0;
  const reply = await server.transcribe(wavOf(long), { timestamps: true, word_timestamps: true });
  assert.equal(reply.duration, 75);
  assert.ok(model.lane.sizes.reduce((sum, size) => sum + size, 0) >= 3, 'windows');
  const deltas: string[] = [];
  const context: ServeContext = {
    ...contextOn(model.lane, () => model.task),
    streaming: true,
    emit: (event) => void deltas.push((event as { delta: string }).delta),
  };
  const streamed = await model.task.serve?.(wav(wavOf(long)), context);
  assert.ok(streamed !== undefined && 'json' in streamed && deltas.length >= 2);
  assert.deepEqual([deltas.join(''), (streamed.json as Spoken).text], [reply.text, reply.text]);
  const words = reply.words ?? [];
  assert.equal(words.map(({ word }) => word).join(' '), reply.text);
  for (const [index, { start, end }] of words.entries())
    assert.ok(start >= (words[index - 1]?.end ?? 0) - 1e-9 && end > start && end <= 75, `${start} to ${end}`);
});

test('what only Whisper can do is refused by name', async (t) => {
  const model = await openReference('wav2vec2_ctc');
  t.after(() => model.program.release());
  const bytes = await sound();
  for (const [name, value] of [
    ['task', 'translate'],
    ['prompt', 'A text before.'],
    ['hotwords', 'Carpool'],
    ['temperature', 0.4],
    ['seed', 1],
  ] as const)
    await assert.rejects(model.answer(wav(bytes, { [name]: value })), refusal('INVALID_INPUT', new RegExp(name)), name);
  const plain = (await model.answer(wav(bytes))) as Spoken;
  const asked = (await model.answer(
    wav(bytes, { task: 'transcribe', prompt: '', temperature: 0, language: 'en' }),
  )) as Spoken;
  assert.deepEqual([plain.language, asked.language, asked.text], ['und', 'en', plain.text]);
});

test('a model says its language, and too little sound is empty text', async (t) => {
  const model = await openReference('hubert_ctc', { language: 'en' });
  t.after(() => model.program.release());
  const reply = (await model.answer(wav(await sound(200)))) as Spoken;
  assert.deepEqual([reply.text, reply.language], ['', 'en']);
  await assert.rejects(
    model.answer(wav(await sound(), { language: 'de' })),
    refusal('INVALID_INPUT', /this model knows only en/),
  );
});

test('sound in which nobody speaks is left out where that is asked for', async (t) => {
  const model = await openReference('wavlm_ctc');
  t.after(() => model.program.release());
  const heard = (await model.answer(wav(await sound()))) as Spoken;
  const filtered = (await model.answer(wav(await sound(), { vad_filter: true, timestamps: true }))) as Spoken;
  assert.ok(heard.text.length > 10);
  assert.deepEqual([filtered.text, filtered.segments, filtered.duration], ['', [], 2]);
});
