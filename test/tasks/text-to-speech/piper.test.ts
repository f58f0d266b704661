import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  clausesOfAll,
  phonemesIn,
  requireEspeak,
  speak,
  type EspeakLimits,
} from '../../../src/tasks/text-to-speech/espeak.ts';
import { readPiperVoice } from '../../../src/tasks/text-to-speech/piper.ts';
import { typedView, type FixedTensor, type Signature } from '../../../src/tensors/tensor.ts';
import { refusal, sourceFor, spec } from '../support.ts';

const skip = spawnSync('espeak-ng', ['--version']).status === 0 ? false : 'espeak-ng is not installed';
const LIMITS = { leftMs: () => 30_000, onLeave: () => () => undefined };
const SIGNATURE: Signature = {
  inputs: [
    spec('input', 'INT64', [-1, -1], null),
    spec('input_lengths', 'INT64', [-1], null),
    spec('scales', 'FP32', [3], null),
  ],
  outputs: [spec('output', 'FP32', [-1, 1, 1, -1], null)],
  batchable: false,
};
const SPEAKERS: Signature = { ...SIGNATURE, inputs: [...SIGNATURE.inputs, spec('sid', 'INT64', [-1], null)] };
const SETTINGS = {
  audio: { sample_rate: 22_050, quality: 'medium' },
  phoneme_type: 'text',
  inference: { noise_scale: 0.5, length_scale: 1.2, noise_w: 0.25 },
  phoneme_id_map: { _: [0], '^': [1], $: [2], ' ': [3], a: [4], b: [5], '\u0301': [6], c: [7, 8] },
};

async function voiceOf(t: TestContext, settings: unknown, signature = SIGNATURE, options = {}) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-piper-'));
  t.after(() => rm(folder, { recursive: true }));
  const voice = path.join(folder, 'a.onnx.json');
  await writeFile(voice, JSON.stringify(settings));
  return readPiperVoice(sourceFor('text-to-speech', signature, { files: { voice }, options }));
}

async function phonemesOf(
  texts: readonly string[],
  voice: string,
  limits: EspeakLimits = LIMITS,
): Promise<readonly string[]> {
  const clauses = clausesOfAll(texts);
  return phonemesIn(await speak(voice, clauses, limits), clauses) ?? [];
}

const numbers = (tensor: unknown): number[] => Array.from(typedView(tensor as FixedTensor) as Float32Array, Number);

test('letters become ids with padding between a begin and an end', async (t) => {
  const voice = await voiceOf(t, SETTINGS);
  // An accent is a letter by itself, what is not known is left out, and one letter may have two ids.
  assert.deepEqual(
    ['áB', 'c?', '?'].map((text) => voice.idsOf(text)),
    [[1, 0, 4, 0, 6, 0, 5, 0, 2], [1, 0, 7, 8, 0, 2], []],
  );
});

test('the scales are those of the voice, the length follows the speed', async (t) => {
  const inputs = (await voiceOf(t, SETTINGS)).inputs([1, 0, 2], { voice: 0, speed: 2 });
  assert.deepEqual(numbers(inputs['input']), [1, 0, 2]);
  assert.deepEqual(numbers(inputs['input_lengths']), [3]);
  assert.deepEqual(numbers(inputs['scales']), [...Float32Array.of(0.5, 0.6, 0.25)]);
  const calm = await voiceOf(t, SETTINGS, SIGNATURE, { noiseScale: 0, noiseWidth: 0 });
  assert.deepEqual(numbers(calm.inputs([1], { voice: 0, speed: 1 })['scales']), [...Float32Array.of(0, 1.2, 0)]);
});

test('speakers have names, or numbers where the settings name none', async (t) => {
  const named = await voiceOf(t, { ...SETTINGS, num_speakers: 2, speaker_id_map: { ben: 1, anna: 0 } }, SPEAKERS);
  assert.deepEqual(named.voices, ['anna', 'ben']);
  assert.deepEqual(numbers(named.inputs([1], { voice: 1, speed: 1 })['sid']), [1]);
  assert.deepEqual((await voiceOf(t, { ...SETTINGS, num_speakers: 3 }, SPEAKERS)).voices, ['0', '1', '2']);
});

test('settings that are not served say why', async (t) => {
  const cases: [object, RegExp][] = [
    [{ phoneme_type: 'pinyin' }, /phoneme_type "pinyin" is not served/],
    [{ phoneme_type: 'espeak' }, /espeak\.voice is missing/],
    [{ phoneme_type: 'espeak', espeak: { voice: '--help' } }, /"--help" is no name of a voice/],
    [{ phoneme_id_map: undefined }, /phoneme_id_map/],
    [{ num_speakers: 2 }, /needs a graph with the input sid/],
  ];
  for (const [more, message] of cases) await assert.rejects(voiceOf(t, { ...SETTINGS, ...more }), message);
});

test('without espeak-ng, a voice that reads phonemes says what to install', async () => {
  await assert.rejects(requireEspeak('en-us', 'no-such-program-espeak'), /espeak-ng.*apt-get install espeak-ng/);
});

test('phonemes keep their punctuation, text by text', { skip }, async () => {
  await requireEspeak('en-us');
  const texts = ['Hello, world!', 'Is this (a) test of 3.5 things?', '', 'The end.'];
  assert.deepEqual(await phonemesOf(texts, 'en-us'), [
    'həlˈoʊ, wˈɜːld!',
    'ɪz ðɪs ɐ tˈɛst ʌv θɹˈiː pɔɪnt fˈaɪv θˈɪŋz?',
    '',
    'ðɪ ˈɛnd.',
  ]);
  await assert.rejects(requireEspeak('xx-nowhere'), /espeak-ng has no voice "xx-nowhere"/);
});

test('a text in which a word of another language is read in it has no flags of that', { skip }, async () => {
  const [french = ''] = await phonemesOf(['Le weekend, bonjour.'], 'fr');
  assert.match(french, /wiːkˈɛnd, bɔ̃ʒˈuʁ\.$/);
  assert.doesNotMatch(french, /[()]/);
});

test('espeak-ng ends with its request', { skip }, async () => {
  await assert.rejects(phonemesOf(['Hello'], 'en-us', { ...LIMITS, leftMs: () => 0 }), refusal('DEADLINE_EXCEEDED'));
  const gone = { ...LIMITS, onLeave: (callback: () => void) => (callback(), () => undefined) };
  await assert.rejects(phonemesOf(['Hello'], 'en-us', gone), refusal('CANCELLED'));
});
