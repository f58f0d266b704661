import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audioBytes, audioOf } from '../../../src/tasks/transcription/audio-item.ts';
import type { TextTokenizer } from '../../../src/tasks/text/tokenizer.ts';
import { earlierTokens, promptTokens, type EarlierTexts } from '../../../src/tasks/transcription/prompt.ts';
import { readSettings, TEMPERATURES } from '../../../src/tasks/transcription/request.ts';
import { UNKNOWN_LANGUAGE, type SpeechTokens } from '../../../src/tasks/transcription/speech-work.ts';
import { json, raw, refusal } from '../support.ts';

const ENGLISH: SpeechTokens = {
  start: 50_257,
  end: 50_256,
  noTimestamps: 50_362,
  timestampBegin: 50_363,
  noSpeech: 50_361,
  startOfPrevious: 50_360,
  languages: {},
  transcribe: undefined,
  translate: undefined,
  suppress: [],
  beginSuppress: [],
  maxInitialTimestamp: 50,
  alignmentHeads: [],
  maxPositions: 448,
};
const MANY: SpeechTokens = { ...ENGLISH, languages: { en: 1, de: 2, fr: 3 }, transcribe: 8, translate: 9 };

const DEFAULTS = { temperatures: TEMPERATURES, vadFilter: false, canHearVoices: true };
const settings = (parameters: Record<string, unknown>, tokens = MANY, defaults = {}) =>
  readSettings(json('', parameters), tokens, { ...DEFAULTS, ...defaults });

test('parameters have defaults', () => {
  assert.deepEqual(settings({ language: null }), {
    language: undefined,
    task: 'transcribe',
    prompt: undefined,
    hotwords: undefined,
    temperatures: [0, 0.2, 0.4, 0.6, 0.8, 1],
    thresholds: { compressionRatio: 2.4, logprob: -1, noSpeech: 0.6 },
    voice: { filter: false, check: true, gate: { threshold: 0.5, minSilenceMs: 2000, padMs: 400 } },
    timestamps: false,
    words: false,
    seed: 0,
  });
  assert.equal(settings({}, ENGLISH).language, 'en');
});

test('temperature 0 is raised where a text is doubtful, another one or a list is taken as it is', () => {
  const asked = (temperature: number | number[]) =>
    settings({ temperature }, MANY, { temperatures: [0, 0.5] }).temperatures;
  assert.deepEqual([asked(0), asked(0.3), asked([0]), asked([0.1, 1])], [[0, 0.5], [0.3], [0], [0.1, 1]]);
});

test('voice activity is asked where a text is doubtful, always, or never', () => {
  const asked = (parameters: Record<string, unknown>, defaults = {}) => {
    const { filter, check } = settings(parameters, MANY, defaults).voice;
    return [filter, check];
  };
  assert.deepEqual(asked({ vad_filter: true }), [true, true]);
  assert.deepEqual(asked({ vad_filter: false }), [false, false]);
  assert.deepEqual(asked({}, { vadFilter: true }), [true, true]);
  assert.deepEqual(asked({ vad_filter: 'auto' }), [true, true]);
  assert.deepEqual(asked({ vad_parameters: { threshold: 0.6 } }), [true, true]);
  const without = { canHearVoices: false };
  assert.deepEqual(asked({}, without), [false, false]);
  assert.deepEqual(asked({ vad_filter: 'auto' }, without), [false, false]);
  assert.throws(() => settings({ vad_filter: true }, MANY, without), refusal('INVALID_INPUT', /vad_filter/));
  assert.deepEqual(settings({ vad_parameters: { threshold: 0.6, speech_pad_ms: 100 } }).voice.gate, {
    ...{ threshold: 0.6, minSilenceMs: 2000, padMs: 100 },
  });
});

test('hotwords and the end of the earlier text share half of the positions', () => {
  const tokenizer = { encode: (text: string) => text.trim().split(' ').map(Number) } as unknown as TextTokenizer;
  const tokens = { ...MANY, end: 100, maxPositions: 12 };
  const earlier = (texts: Partial<EarlierTexts>): number[] =>
    earlierTokens({ prompt: undefined, hotwords: undefined, ...texts }, tokenizer, tokens);
  assert.deepEqual(earlier({ prompt: '1 2 3 4 5 6 7' }), [3, 4, 5, 6, 7]);
  assert.deepEqual(earlier({ hotwords: '1 2', prompt: '3 4 5 6' }), [1, 2, 4, 5, 6]);
  assert.deepEqual(earlier({ hotwords: '1 2 3 4 5 6', prompt: '7' }), [1, 2, 3, 4, 5]);
  assert.deepEqual(earlier({ hotwords: ' ', prompt: '101 7' }), [7]);
});

test('thresholds are as asked for', () => {
  const asked = { compression_ratio_threshold: 3, logprob_threshold: -0.5, no_speech_threshold: 0.9 };
  assert.deepEqual(settings(asked).thresholds, { compressionRatio: 3, logprob: -0.5, noSpeech: 0.9 });
});

test('a language goes by its code or its English name, in any case', () => {
  for (const language of ['de', 'DE', 'german', 'German']) assert.equal(settings({ language }).language, 'de');
});

test('what a model cannot do is refused, naming the parameter', () => {
  const cases: [Record<string, unknown>, SpeechTokens, RegExp][] = [
    [{ language: 'de' }, ENGLISH, /language.*only English/],
    [{ language: 'xx' }, MANY, /language/],
    [{ task: 'translate' }, ENGLISH, /task.*only English/],
    [{ task: 'sing' }, MANY, /task/],
    [{ temperature: 9 }, MANY, /temperature/],
    [{ temperature: 'hot' }, MANY, /temperature/],
    [{ temperature: [] }, MANY, /temperature/],
    [{ logprob_threshold: 'low' }, MANY, /logprob_threshold/],
    [{ timestamps: 'yes' }, MANY, /timestamps/],
    [{ seed: -1 }, MANY, /seed/],
    [{ prompt: 'x'.repeat(10_001) }, MANY, /prompt/],
    [{ beam_size: 5 }, MANY, /beam_size/],
  ];
  for (const [parameters, tokens, message] of cases)
    assert.throws(() => settings(parameters, tokens), refusal('INVALID_INPUT', message));
});

test('the prompt says language, task and whether timestamps are wanted', () => {
  const asked = { task: 'translate', timestamps: true } as const;
  assert.deepEqual(promptTokens({ ...asked, language: 'fr' }, [], MANY), [50_257, 3, 9]);
  assert.deepEqual(promptTokens({ ...asked, language: undefined }, [], MANY), [50_257, UNKNOWN_LANGUAGE, 9]);
  assert.deepEqual(
    promptTokens({ task: 'transcribe', timestamps: false, language: 'en' }, [], ENGLISH),
    [50_257, 50_362],
  );
});

test('the end of an earlier text goes before it, as much as leaves half of the positions', () => {
  const previous = Array.from({ length: 500 }, (_, index) => index);
  const prompt = promptTokens({ task: 'transcribe', timestamps: true, language: 'en' }, previous, ENGLISH);
  assert.deepEqual(prompt, [50_360, ...previous.slice(-223), 50_257]);
});

test('audio comes raw, as base64 or as a data URL', () => {
  const bytes = Uint8Array.of(1, 2, 3);
  assert.equal(audioOf(raw('audio/anything', bytes)), bytes);
  for (const text of ['AQID', 'data:audio/wav;base64,AQID', 'AQ\nID'])
    assert.deepEqual([...audioBytes(text)], [1, 2, 3]);
  assert.equal(audioOf(json({ audio: 'AQID' })), 'AQID');
  assert.throws(() => audioOf(raw('image/png', bytes)), refusal('UNSUPPORTED_MEDIA_TYPE'));
  assert.throws(() => audioOf(json({ sound: 'AQID' })), refusal('INVALID_INPUT'));
  assert.throws(() => audioBytes('***'), refusal('INVALID_INPUT'));
  assert.throws(() => audioBytes('data:audio/wav,AQID'), refusal('INVALID_INPUT'));
});
